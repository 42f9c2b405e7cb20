extension JSON {
    /// An error in a text, with its position.
    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    /// Parses a text that is a single value.
    public init(_ bytes: [UInt8]) throws(Malformed) {
        var parser = JSONParser(bytes)
        self = try parser.completeValue()
    }
}

/// Parses JSON (RFC 8259).
struct JSONParser {
    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    /// Deeper than any Kubernetes object, but safe for the stack.
    private static let maximumDepth = 128

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func completeValue() throws(JSON.Malformed) -> JSON {
        let value = try value()
        skipSpace()
        guard index == bytes.count else { throw malformed("more than one value") }
        return value
    }

    private func malformed(_ problem: String) -> JSON.Malformed { JSON.Malformed(description: "not JSON: \(problem) at byte \(index)") }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { index += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func value() throws(JSON.Malformed) -> JSON {
        skipSpace()
        depth += 1
        defer { depth -= 1 }
        guard depth <= JSONParser.maximumDepth else { throw malformed("too deep") }
        switch next {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSON) throws(JSON.Malformed) -> JSON {
        for byte in word.utf8 {
            guard next == byte else { throw malformed("no value") }
            index += 1
        }
        return value
    }

    private mutating func number() throws(JSON.Malformed) -> JSON {
        let start = index
        while let byte = next, "+-.eE0123456789".utf8.contains(byte) { index += 1 }
        let digits = String(decoding: bytes[start..<index], as: UTF8.self)
        guard Double(digits) != nil else { throw malformed("no value") }
        return .number(digits)
    }

    private mutating func array() throws(JSON.Malformed) -> JSON {
        index += 1
        var items: [JSON] = []
        if take(UInt8(ascii: "]")) { return .array(items) }
        repeat { items.append(try value()) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw malformed("no end of an array") }
        return .array(items)
    }

    private mutating func object() throws(JSON.Malformed) -> JSON {
        index += 1
        var members: [JSON.Member] = []
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw malformed("no name") }
            let name = try string()
            guard take(UInt8(ascii: ":")) else { throw malformed("no colon") }
            members.append(JSON.Member(name, try value()))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw malformed("no end of an object") }
        return .object(members)
    }

    private mutating func string() throws(JSON.Malformed) -> String {
        index += 1
        var start = index
        var text = ""
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                text += String(decoding: bytes[start..<index], as: UTF8.self)
                index += 1
                return text
            case UInt8(ascii: "\\"):
                text += String(decoding: bytes[start..<index], as: UTF8.self)
                index += 1
                text.unicodeScalars.append(try escaped())
                start = index
            case ..<0x20: throw malformed("a control character in a text")
            default: index += 1
            }
        }
        throw malformed("no end of a text")
    }

    private mutating func escaped() throws(JSON.Malformed) -> Unicode.Scalar {
        guard let byte = next else { throw malformed("no end of a text") }
        index += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "u"): return try unicode()
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        default: throw malformed("an unknown escape")
        }
    }

    /// One `\uXXXX`, or two that are a surrogate pair.
    private mutating func unicode() throws(JSON.Malformed) -> Unicode.Scalar {
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xdc00, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
            return "\u{fffd}"
        }
        index += 2
        let second = try unit()
        guard 0xdc00...0xdfff ~= second else { return "\u{fffd}" }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
    }

    private mutating func unit() throws(JSON.Malformed) -> UInt32 {
        guard index + 4 <= bytes.count, let unit = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16) else {
            throw malformed("no four digits")
        }
        index += 4
        return unit
    }
}
