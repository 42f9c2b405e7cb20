internal import FoundationEssentials
internal import SwiftProtobuf

/// What stands around every object and list in protobuf: the magic `k8s\0` and a `runtime.Unknown` that names the kind.
struct ProtobufEnvelope {
    let apiVersion: String
    let kind: String
    let content: Data

    private static let magic: [UInt8] = [0x6b, 0x38, 0x73, 0x00]

    init(_ bytes: Data) throws(WireError) {
        guard bytes.starts(with: ProtobufEnvelope.magic) else {
            throw WireError(message: "does not start with the four bytes k8s\\0 of Kubernetes' protobuf")
        }
        let unknown: ProtoUnknown = try ProtobufObject.message(bytes.dropFirst(ProtobufEnvelope.magic.count))
        guard unknown.contentEncoding.isEmpty else {
            throw WireError(field: "contentEncoding", message: "must be empty, not \(unknown.contentEncoding)")
        }
        apiVersion = unknown.typeMeta.apiVersion
        kind = unknown.typeMeta.kind
        content = unknown.raw
    }

    /// The content, if it is of the kind that is expected.
    func content(apiVersion expectedVersion: String, kind expectedKind: String) throws(WireError) -> Data {
        guard kind == expectedKind, apiVersion == expectedVersion else {
            throw WireError(message: "is a \(kind) of \(apiVersion), not a \(expectedKind) of \(expectedVersion)")
        }
        return content
    }

    /// The content as a Status; nil if it is something else.
    var status: APIStatus? {
        get throws(WireError) {
            guard kind == "Status", apiVersion == "v1" else { return nil }
            return APIStatus(try ProtobufObject.message(content, of: ProtoStatus.self))
        }
    }
}
