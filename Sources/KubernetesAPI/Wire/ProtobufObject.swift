internal import FoundationEssentials
internal import SwiftProtobuf

/// An object in protobuf, without its envelope.
public struct ProtobufObject: Sendable {
    let bytes: Data

    init(_ bytes: Data) {
        self.bytes = bytes
    }

    func message<M: Message>(_ type: M.Type = M.self) throws(WireError) -> M {
        try ProtobufObject.message(bytes)
    }

    /// Reads a message. Fields that are not in ours are skipped and, unlike the library's default, not kept either.
    static func message<M: Message>(_ bytes: Data, of type: M.Type = M.self) throws(WireError) -> M {
        do {
            return try M(serializedBytes: bytes, partial: true, options: options)
        } catch {
            throw WireError(error, reading: type)
        }
    }

    private static let options: BinaryDecodingOptions = {
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        options.messageDepthLimit = 16
        return options
    }()
}

extension WireError {
    fileprivate init<M: Message>(_ error: any Error, reading type: M.Type) {
        let name = M.protoMessageName.split(separator: ".").last.map(String.init) ?? M.protoMessageName
        self.init(message: "is no \(name) in protobuf: \(error)")
    }
}
