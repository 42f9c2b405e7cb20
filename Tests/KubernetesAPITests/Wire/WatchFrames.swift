import Foundation
import SwiftProtobuf

@testable import KubernetesAPI

/// Answers and events missing from the recordings, in the format of the API server.
enum WatchFrames {
    static func service(name: String, annotations: [String: String], _ contentType: ContentType) -> [UInt8] {
        switch contentType {
        case .json:
            let pairs = annotations.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
            return line(
                "ADDED",
                "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"\(name)\",\"namespace\":\"d\","
                    + "\"resourceVersion\":\"7\",\"annotations\":{\(pairs)}}}")
        case .protobuf:
            var service = ProtoService()
            service.metadata = metadata(name)
            service.metadata.annotations = annotations
            return frame("ADDED", object(service, kind: "Service", apiVersion: "v1"))
        }
    }

    static func metadata(_ name: String, resourceVersion: String = "7") -> ProtoObjectMeta {
        var metadata = ProtoObjectMeta()
        metadata.name = name
        metadata.namespace = "d"
        metadata.resourceVersion = resourceVersion
        return metadata
    }

    static func line(_ type: String, _ object: String) -> [UInt8] {
        Array("{\"type\":\"\(type)\",\"object\":\(object)}\n".utf8)
    }

    /// Returns an object in its envelope.
    static func object(_ message: some Message, kind: String, apiVersion: String) -> [UInt8] {
        object(bytes(message), kind: kind, apiVersion: apiVersion)
    }

    static func object(_ raw: [UInt8], kind: String, apiVersion: String) -> [UInt8] {
        var unknown = ProtoUnknown()
        unknown.typeMeta.kind = kind
        unknown.typeMeta.apiVersion = apiVersion
        unknown.raw = Data(raw)
        return Array("k8s\0".utf8) + bytes(unknown)
    }

    static func frame(_ type: String, _ object: [UInt8]) -> [UInt8] {
        var event = ProtoWatchEvent()
        event.type = type
        event.object.raw = Data(object)
        let body = bytes(event)
        return withUnsafeBytes(of: UInt32(body.count).bigEndian, Array.init) + body
    }

    static func list(_ items: [[UInt8]], kind: String, apiVersion: String) -> [UInt8] {
        var list = ProtoObjectList()
        list.metadata.resourceVersion = "9"
        list.items = items.map { Data($0) }
        return object(list, kind: kind, apiVersion: apiVersion)
    }

    static func bytes(_ message: some Message) -> [UInt8] {
        do {
            return try message.serializedBytes()
        } catch {
            preconditionFailure("a message without required fields can always be written: \(error)")
        }
    }
}
