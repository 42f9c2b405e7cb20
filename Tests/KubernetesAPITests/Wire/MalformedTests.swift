import Foundation
import Kubernetes
import TestSupport
import Testing

@testable import KubernetesAPI

@Suite struct `Malformed bytes` {
    private static let lists = ["services-list", "endpointslices-list", "node-list"]
    private static let watches = ["services-watch", "endpointslices-watch", "node-watch", "services-watch-too-old"]

    /// Reads bytes as every type of message, with any result but a crash or a hang.
    private static func readAll(_ bytes: [UInt8], _ contentType: ContentType) {
        read(bytes, contentType, as: Service.self)
        read(bytes, contentType, as: EndpointSlice.self)
        read(bytes, contentType, as: Node.self)
    }

    private static func read<Object: APIObject>(_ bytes: [UInt8], _ contentType: ContentType, as type: Object.Type) {
        do {
            let list = try WireDecoder<Object>(contentType: contentType).list(bytes)
            for problem in list.problems { #expect(!problem.description.isEmpty) }
        } catch {
            #expect(!error.description.isEmpty)
        }
        _ = WireDecoder<Object>.status(bytes, contentType: contentType)
        var decoder = WatchDecoder<Object>(contentType: contentType)
        do {
            _ = try decoder.feed(bytes)
            for problem in decoder.problems { #expect(!problem.description.isEmpty) }
        } catch {
            #expect(!error.description.isEmpty)
        }
    }

    @Test(arguments: ContentType.allCases) func `of random content cause no crash`(contentType: ContentType) {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            let count = Int.random(in: 0..<200, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            Self.readAll(bytes, contentType)
            Self.readAll(Array("k8s\0".utf8) + bytes, contentType)
        }
    }

    @Test(arguments: ContentType.allCases) func `of an answer with random changes cause no crash`(contentType: ContentType) throws {
        var generator = SeededGenerator(seed: 13)
        for name in ["node-list", "services-watch", "services-watch-too-old", "unauthorized"] {
            let good = try Recording(name, contentType).bytes
            for _ in 0..<150 {
                var bytes = good
                for _ in 0..<Int.random(in: 1...8, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                    case 2: bytes.remove(at: place)
                    default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                    }
                }
                Self.readAll(bytes, contentType)
            }
        }
    }

    @Test(arguments: ContentType.allCases) func `that are truncated anywhere are refused or reported`(contentType: ContentType)
        throws
    {
        let good = try Recording("node-list", contentType).bytes
        let end = contentType == .json ? good.count - 1 : good.count
        for count in 0..<end - 6 {
            let cut = Array(good[..<count])
            #expect(throws: WireError.self) { try WireDecoder<Node>(contentType: contentType).list(cut) }
            #expect(WireDecoder<Node>.status(cut, contentType: contentType) == nil)
        }
    }

    @Test func `with the wrong magic are refused`() throws {
        var bytes = try Recording("node-list", .protobuf).bytes
        bytes[3] = 1
        #expect(throws: WireError(message: "does not start with the four bytes k8s\\0 of Kubernetes' protobuf")) {
            try WireDecoder<Node>(contentType: .protobuf).list(bytes)
        }
        let json = try Recording("node-list", .json).bytes
        #expect(throws: WireError.self) { try WireDecoder<Node>(contentType: .protobuf).list(json) }
        #expect(throws: WireError.self) { try WireDecoder<Node>(contentType: .json).list(bytes) }
    }

    @Test func `with the wrong magic in an event are a problem without a name`() throws {
        var decoder = WatchDecoder<Service>(contentType: .protobuf)
        #expect(try decoder.feed(WatchFrames.frame("ADDED", Array("k9s\0".utf8))) == [])
        #expect(decoder.problems.map(\.object) == [nil])
        guard case .error = try #require(try decoder.feed(WatchFrames.frame("ERROR", [])).first) else {
            throw WireError(message: "an ERROR ends a watch, whatever it contains")
        }
    }

    @Test func `that are compressed are refused`() throws {
        var unknown = ProtoUnknown()
        unknown.typeMeta.kind = "NodeList"
        unknown.contentEncoding = "gzip"
        #expect(throws: WireError(field: "contentEncoding", message: "must be empty, not gzip")) {
            try WireDecoder<Node>(contentType: .protobuf).list(Array("k8s\0".utf8) + WatchFrames.bytes(unknown))
        }
    }

    @Test func `that nest too deeply are refused`() {
        let json = Array((String(repeating: "{\"a\":", count: 100_000)).utf8)
        #expect(throws: WireError.self) { try WireDecoder<Node>(contentType: .json).list(json) }
        let nested = Array((String(repeating: "[", count: 200_000)).utf8)
        #expect(throws: WireError.self) { try WireDecoder<Node>(contentType: .json).list(nested) }
    }

    @Test(arguments: ContentType.allCases) func `of a list of another kind are refused`(contentType: ContentType) throws {
        let body = try Recording("node-list", contentType).bytes
        #expect(throws: WireError(message: "is a NodeList of v1, not a ServiceList of v1")) {
            try WireDecoder<Service>(contentType: contentType).list(body)
        }
        let status = try Recording("unauthorized", contentType).bytes
        #expect(throws: WireError(message: "is a Status of v1, not a ServiceList of v1")) {
            try WireDecoder<Service>(contentType: contentType).list(status)
        }
    }

    @Test func `write no control characters into a log`() {
        let problem = WireProblem(kind: "Service", error: WireError(field: "a\nb", message: "\u{1b}[2J"))
        #expect(problem.description == "Service, a\\u{a}b: \\u{1b}[2J")
    }
}
