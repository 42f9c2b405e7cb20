import Kubernetes
import KubernetesAPI
import TestSupport
import Testing

@Suite struct `A watch stream` {
    @Test(arguments: ContentType.allCases) func `gives the same events wherever it is split`(contentType: ContentType) throws {
        let bytes = try Recording("endpointslices-watch", contentType).bytes
        let complete = try Recording("endpointslices-watch", contentType).events(of: EndpointSlice.self)
        for cut in stride(from: 0, through: bytes.count, by: contentType == .json ? 7 : 1) {
            let read: ([WatchEvent<EndpointSlice>], [WireProblem], Bool) = try Recording.events(bytes, contentType, cuts: [cut])
            #expect(read.0 == complete, "cut at \(cut)")
            #expect(read.1.isEmpty)
            #expect(read.2)
        }
    }

    @Test(arguments: ContentType.allCases) func `gives the same events byte by byte`(contentType: ContentType) throws {
        let bytes = try Recording("services-streaming-list", contentType).bytes
        let complete = try Recording("services-streaming-list", contentType).events(of: Service.self)
        let read: ([WatchEvent<Service>], [WireProblem], Bool) = try Recording.events(bytes, contentType, cuts: Array(1..<bytes.count))
        #expect(read.0 == complete)
        #expect(read.2)
    }

    @Test(arguments: ContentType.allCases) func `gives the same events in random pieces`(contentType: ContentType) throws {
        let bytes = try Recording("services-watch", contentType).bytes
        let complete = try Recording("services-watch", contentType).events(of: Service.self)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<50 {
            let cuts = (0..<Int.random(in: 0..<30, using: &generator)).map { _ in Int.random(in: 0...bytes.count, using: &generator) }
                .sorted()
            let read: ([WatchEvent<Service>], [WireProblem], Bool) = try Recording.events(bytes, contentType, cuts: cuts)
            #expect(read.0 == complete, "cut at \(cuts)")
        }
    }

    @Test(arguments: ContentType.allCases) func `reports whether it ends between two events`(contentType: ContentType) throws {
        let bytes = try Recording("services-watch", contentType).bytes
        var decoder = WatchDecoder<Service>(contentType: contentType)
        #expect(decoder.isAtFrameBoundary)
        _ = try decoder.feed(bytes.dropLast(1))
        #expect(!decoder.isAtFrameBoundary)
        _ = try decoder.feed(bytes.suffix(1))
        #expect(decoder.isAtFrameBoundary)
    }

    @Test(arguments: ContentType.allCases) func `refuses an event that is too large before it is complete`(contentType: ContentType)
        throws
    {
        var decoder = WatchDecoder<Service>(contentType: contentType, maximumFrameBytes: 1000)
        let start: [UInt8] = contentType == .json ? Array("{\"type\":\"".utf8) : [0, 0, 4, 0]
        #expect(throws: WireError.self) {
            _ = try decoder.feed(start)
            for _ in 0..<20 { _ = try decoder.feed(repeatElement(UInt8(ascii: "A"), count: 100)) }
        }
        #expect(!decoder.isAtFrameBoundary)
        #expect(throws: WireError.self) { try decoder.feed([]) }
    }

    @Test func `refuses a length of 4 GB at its fourth byte`() throws {
        var decoder = WatchDecoder<Service>(contentType: .protobuf)
        _ = try decoder.feed([0xff, 0xff, 0xff])
        #expect(throws: WireError(message: "event of 4294967295 bytes exceeds the limit of 16777216 bytes")) { try decoder.feed([0xff]) }
    }

    @Test(arguments: ContentType.allCases) func `delivers the events before invalid bytes, and then fails`(
        contentType: ContentType
    ) throws {
        let good = try Recording("services-watch", contentType).bytes
        let garbage = contentType == .json ? Array("<html>\n".utf8) : [0, 0, 0, 3, 1, 2, 3]
        var decoder = WatchDecoder<Service>(contentType: contentType)
        let events = try decoder.feed(good + garbage + good)
        #expect(try events == Recording("services-watch", contentType).events(of: Service.self))
        let failure = try #require(decoder.failure)
        #expect(!decoder.isAtFrameBoundary)
        #expect(throws: failure) { try decoder.feed([]) }
    }

    @Test func `may have empty lines between its events`() throws {
        let bytes = try Recording("services-watch-too-old", .json).bytes
        var decoder = WatchDecoder<Service>(contentType: .json)
        #expect(try decoder.feed(Array("\r\n\n".utf8) + bytes + Array("\n".utf8)).count == 1)
        #expect(decoder.isAtFrameBoundary)
    }

    @Test(arguments: ContentType.allCases) func `carries an object of 1.5 MB in small pieces`(contentType: ContentType) throws {
        let annotation = String(repeating: "x", count: 1_500_000)
        let bytes = WatchFrames.service(name: "large", annotations: ["a": annotation], contentType)
        var decoder = WatchDecoder<Service>(contentType: contentType)
        var events: [WatchEvent<Service>] = []
        for start in stride(from: 0, to: bytes.count, by: 16_384) {
            events += try decoder.feed(bytes[start..<min(start + 16_384, bytes.count)])
        }
        guard case .added(let service) = try #require(events.first) else { throw WireError(message: "not added") }
        #expect(service.object.metadata.annotations.isEmpty)
        #expect(service.object.metadata.name == "large")
    }
}
