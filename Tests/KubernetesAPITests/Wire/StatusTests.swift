import Kubernetes
import KubernetesAPI
import Testing

@Suite struct `A status` {
    @Test(arguments: ContentType.allCases) func `is decoded from both encodings`(contentType: ContentType) throws {
        func status(_ name: String) throws -> APIStatus? { try Recording(name, contentType).status() }

        #expect(try status("unauthorized") == APIStatus(code: 401, reason: "Unauthorized", message: "Unauthorized"))
        #expect(
            try status("bad-selector") == APIStatus(code: 400, reason: "BadRequest", message: "field label not supported: spec.nonsense"))
        #expect(
            try status("not-found")
                == APIStatus(code: 404, reason: "NotFound", message: "endpointslices.discovery.k8s.io \"absent\" not found"))
        #expect(
            try status("unknown-group")
                == APIStatus(code: 404, reason: "NotFound", message: "the server could not find the requested resource"))
    }

    @Test(arguments: ContentType.allCases) func `that a version has expired may be an answer or an event`(contentType: ContentType) throws {
        let answer = try #require(try Recording("services-list-expired-continue", contentType).status())
        #expect(answer.code == 410)
        #expect(answer.reason == "Expired")
        let events = try Recording("services-watch-too-old", contentType).events(of: Service.self)
        #expect(events == [.error(APIStatus(code: 410, reason: "Expired", message: "too old resource version: 1 (263)"))])
    }

    @Test(arguments: ContentType.allCases) func `that streaming lists are not supported is an event`(contentType: ContentType) throws {
        let events = try Recording("services-streaming-list-unsupported", contentType).events(of: Service.self)
        guard case .error(let status) = try #require(events.first) else { throw WireError(message: "no error: \(events)") }
        #expect(status.code == 500)
        #expect(status.reason == "InternalError")
    }

    @Test(arguments: ContentType.allCases) func `contains the time to wait`(contentType: ContentType) throws {
        let status = try #require(try Recording("list-future-version", contentType).status())
        #expect(status.code == 504)
        #expect(status.retryAfterSeconds == 1)
    }

    @Test func `that an encoding is not acceptable is in JSON`() throws {
        let status = try #require(try Recording("not-acceptable", .json).status())
        #expect(status.code == 406)
        #expect(status.description.hasPrefix("406 NotAcceptable: 406: Not Acceptable\\u{a}"))
    }

    @Test(arguments: ContentType.allCases) func `is not found in a list, in text or in empty data`(contentType: ContentType) throws {
        let bodies = [try Recording("services-list", contentType).bytes, Array("404 page not found\n".utf8), [], Array("k8s\0".utf8)]
        for body in bodies { #expect(WireDecoder<Service>.status(body, contentType: contentType) == nil) }
    }

    @Test func `is reported with its code, reason and message`() {
        #expect(APIStatus(code: 410, reason: "Expired", message: "too old").description == "410 Expired: too old")
        #expect(APIStatus(code: 500).description == "500")
    }
}
