import Foundation
import Kubernetes
import Model
import SwiftProtobuf
import Testing

@testable import KubernetesAPI

@Suite struct `A field in protobuf` {
    @Test func `that is unknown is skipped and not kept`() throws {
        let body = try Recording("services-list", .protobuf).bytes
        let content = try ProtobufEnvelope(WireBytes(body)).content
        let list: ProtoObjectList = try ProtobufObject.message(content)
        for item in list.items {
            let service: ProtoService = try ProtobufObject.message(WireBytes(item))
            let spec: ProtoServiceSpec = try ProtobufObject.message(WireBytes(service.spec))
            // A message with unknown fields would encode them again: uid and managedFields are many hundred bytes.
            #expect(service.metadata.unknownFields.data.isEmpty)
            #expect(service.unknownFields.data.isEmpty)
            #expect(spec.unknownFields.data.isEmpty)
            #expect(WatchFrames.bytes(service.metadata).count < 250)
            #expect(try ProtoService(serializedBytes: item).metadata.unknownFields.data.count > 100, "the recording has unknown fields")
        }
    }

    @Test func `of a target reference names a Pod`() throws {
        var slice = ProtoEndpointSlice()
        slice.metadata = WatchFrames.metadata("a")
        slice.addressType = "IPv6"
        var pod = ProtoEndpoint()
        pod.addresses = ["fd00::1"]
        pod.targetRef.kind = "Pod"
        pod.targetRef.name = "web-0"
        pod.hints.forNodes = [ProtoForNode.with { $0.name = "node1" }]
        var other = ProtoEndpoint()
        other.targetRef.kind = "VirtualMachine"
        other.targetRef.name = "vm"
        other.conditions.ready = false
        other.addresses = ["fd00::zz", "fd00::2"]
        slice.endpoints = [pod, other]
        let read = try EndpointSlice.read(ProtobufObject(WireBytes(WatchFrames.bytes(slice)))).object
        #expect(read.addressType == .ipv6)
        #expect(
            read.endpoints == [
                Endpoint(addresses: Endpoint.addresses(["fd00::1"]), pod: "web-0", nodeHints: ["node1"]),
                Endpoint(addresses: [], ready: false),
            ])
    }

    @Test func `of a target port is a number, a name or nothing`() throws {
        func port(_ fill: (inout ProtoIntOrString) -> Void) throws -> IntOrString? {
            var port = ProtoServicePort()
            port.port = 80
            fill(&port.targetPort)
            var spec = ProtoServiceSpec()
            spec.ports = [port]
            var service = ProtoService()
            service.metadata = WatchFrames.metadata("web")
            service.spec = Data(WatchFrames.bytes(spec))
            return try #require(try Service.read(ProtobufObject(WireBytes(WatchFrames.bytes(service)))).object.ports.first).targetPort
        }
        #expect(try port { $0.intVal = 8080 } == .number(8080))
        #expect(
            try port {
                $0.type = 1
                $0.strVal = "http"
            } == .name("http"))
        #expect(try port { $0.intVal = 0 } == nil)
        #expect(try port { $0.type = 1 } == nil)
        #expect(throws: WireError(field: "spec.ports[0].targetPort", message: "must be a port, 1 to 65535, or the name of one")) {
            try port { $0.intVal = 70000 }
        }
    }

    @Test func `of a Service that is absent has the API's default`() throws {
        var service = ProtoService()
        service.metadata = WatchFrames.metadata("web")
        service.spec = Data()
        let read = try Service.read(ProtobufObject(WireBytes(WatchFrames.bytes(service))))
        #expect(read == Versioned(object: Service(metadata: ObjectMeta(name: "web", namespace: "d")), resourceVersion: "7"))
    }
}
