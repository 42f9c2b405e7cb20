/// The fields of a protobuf message that are bytes, text or messages, in their order; others are skipped.
///
/// For the envelopes of objects, which contain the object as bytes: the library would copy them once for each envelope.
/// The format: https://protobuf.dev/programming-guides/encoding/.
struct ProtobufFields {
    struct Field {
        var number: UInt64
        /// A part of the message, not copied.
        var bytes: WireBytes
    }

    /// `wire type` of the encoding.
    private enum WireType: UInt64 {
        case varint = 0
        case eightBytes = 1
        case lengthDelimited = 2
        case fourBytes = 5
    }

    private let message: WireBytes
    /// The name of the message, for errors.
    private let name: String
    /// The position of the next field.
    private var position = 0

    init(_ message: WireBytes, of name: String) {
        self.message = message
        self.name = name
    }

    /// Returns the next field; nil at the end.
    mutating func next() throws(WireError) -> Field? {
        while position < message.count {
            let tag = try varint()
            guard let type = WireType(rawValue: tag & 7), tag >> 3 > 0 else { throw malformed }
            switch type {
            case .varint: _ = try varint()
            case .eightBytes: _ = try take(8)
            case .fourBytes: _ = try take(4)
            case .lengthDelimited: return try Field(number: tag >> 3, bytes: message[take(varint())])
            }
        }
        return nil
    }

    private mutating func take(_ length: UInt64) throws(WireError) -> Range<Int> {
        guard length <= UInt64(message.count - position) else { throw malformed }
        let first = position
        position += Int(length)
        return first..<position
    }

    /// Base 128, least significant group first; the highest bit of a byte says that more follow.
    private mutating func varint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < message.count else { throw malformed }
            let byte = message[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw malformed
    }

    private var malformed: WireError { WireError(message: "is not a valid protobuf \(name): malformed at byte \(position)") }
}

extension ProtobufFields.Field {
    func text(_ field: String) throws(WireError) -> String {
        guard let text = bytes.text else { throw WireError(field: field, message: "must be UTF-8") }
        return text
    }
}
