import KubernetesAPI
import Testing

/// What a reflector does next, without a server and without waiting.
struct ReflectorStateTests {
    private var generator = FixedGenerator()
    private var state = ReflectorState()

    private mutating func next() -> ReflectorStep { state.next(using: &generator) }

    private mutating func delay() -> Duration? {
        guard case .wait(let duration) = next() else { return nil }
        return duration
    }

    private mutating func isListing() -> Bool {
        switch next() {
        case .streamList, .page: true
        case .watch, .wait: false
        }
    }

    private mutating func list(at version: String) {
        _ = next()
        state.tookBookmark(resourceVersion: version, isInitialEventsEnd: true)
    }

    private func status(_ code: Int, _ reason: String = "", retryAfter: Int? = nil, asEvent: Bool = false) -> ReflectorFailure {
        .status(APIStatus(code: code, reason: reason, message: "", retryAfterSeconds: retryAfter), asEvent: asEvent)
    }

    private func version(of step: ReflectorStep) -> String? {
        guard case .watch(let version, _) = step else { return nil }
        return version
    }

    @Test mutating func `It begins with a streamed list of 5 to 10 minutes`() {
        guard case .streamList(let seconds) = next() else {
            Issue.record("not a streamed list")
            return
        }
        #expect(300...600 ~= seconds)
        #expect(!state.hasListed)
    }

    @Test mutating func `The stream goes on as a watch, and is resumed from its last version`() {
        list(at: "100")
        #expect(state.hasListed)
        state.tookEvent(resourceVersion: "105")
        state.ended(after: .seconds(400), using: &generator)
        #expect(version(of: next()) == "105")
    }

    @Test mutating func `What a list has brought before it is whole is nothing to resume from`() {
        _ = next()
        state.tookEvent(resourceVersion: "90")
        state.tookBookmark(resourceVersion: "95", isInitialEventsEnd: false)
        state.failed(.transport, using: &generator)
        #expect(delay() != nil)
        let lists = isListing()
        #expect(lists)
    }

    @Test mutating func `Bookmarks move the point to resume from, but never back`() {
        list(at: "100")
        state.tookBookmark(resourceVersion: "120", isInitialEventsEnd: false)
        state.tookBookmark(resourceVersion: "110", isInitialEventsEnd: false)
        state.tookBookmark(resourceVersion: "", isInitialEventsEnd: false)
        #expect(state.resourceVersion == "120")
    }

    @Test(arguments: [(422, false), (400, false), (405, false), (415, false), (500, true)])
    mutating func `A server that refuses streamed lists is asked for pages at once, and from then on`(code: Int, asEvent: Bool) {
        _ = next()
        state.failed(status(code, asEvent: asEvent), using: &generator)
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.tookPage(resourceVersion: "100", continueToken: nil)
        #expect(version(of: next()) == "100")
        state.failed(status(410, asEvent: true), using: &generator)
        #expect(next() == .page(resourceVersion: nil, limit: 500, continueToken: nil))
        #expect(!state.streamsLists)
    }

    @Test(arguments: [500, 503, 429, 401, 403])
    mutating func `A server in trouble is asked for a streamed list again`(code: Int) {
        _ = next()
        state.failed(status(code), using: &generator)
        #expect(delay() != nil)
        #expect(state.streamsLists)
    }

    @Test mutating func `Streams that keep breaking off make room for one paged list`() {
        for _ in 0..<3 {
            guard case .streamList = next() else {
                Issue.record("not a streamed list")
                return
            }
            state.ended(after: .seconds(60), using: &generator)
            _ = next()
        }
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.tookPage(resourceVersion: "1", continueToken: nil)
        #expect(state.streamsLists)
        _ = next()
        state.tookEvent(resourceVersion: "2")
        state.failed(status(410), using: &generator)
        guard case .streamList = next() else {
            Issue.record("streams are not tried again")
            return
        }
    }

    @Test mutating func `Pages follow one another, and a token that expired begins a whole list`() {
        state = ReflectorState(ReflectorSettings(streamsLists: false))
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.tookPage(resourceVersion: "100", continueToken: "a")
        #expect(next() == .page(resourceVersion: nil, limit: 500, continueToken: "a"))
        state.failed(status(410, "Expired"), using: &generator)
        #expect(next() == .page(resourceVersion: "0", limit: nil, continueToken: nil))
        state.tookPage(resourceVersion: "101", continueToken: nil)
        #expect(version(of: next()) == "101")
    }

    @Test(arguments: [true, false])
    mutating func `A version that is gone is listed again, at once the first time`(asEvent: Bool) {
        list(at: "100")
        _ = next()
        state.failed(status(410, "Expired", asEvent: asEvent), using: &generator)
        list(at: "200")
        _ = next()
        state.failed(status(410, "Expired", asEvent: asEvent), using: &generator)
        #expect(delay() != nil)
    }

    @Test mutating func `Retry-After is honoured, within reason`() {
        list(at: "100")
        state.failed(status(429, retryAfter: 7), using: &generator)
        #expect((.seconds(7)...(.seconds(22))).contains(delay() ?? .zero))
        state.failed(status(503, retryAfter: 86400), using: &generator)
        #expect((.seconds(120)...(.seconds(135))).contains(delay() ?? .zero))
        #expect(version(of: next()) == "100")
    }

    @Test mutating func `Delays grow from 0.8 to 30 seconds and begin anew after a success`() {
        list(at: "100")
        var delays: [Duration] = []
        for _ in 0..<12 {
            _ = next()
            state.failed(.transport, using: &generator)
            delays.append(delay() ?? .zero)
        }
        #expect(delays.allSatisfy { $0 >= .milliseconds(800) && $0 <= .seconds(30) })
        #expect((delays.last ?? .zero) >= .seconds(15))
        _ = next()
        state.tookEvent(resourceVersion: "101")
        state.failed(.transport, using: &generator)
        #expect((delay() ?? .zero) <= .milliseconds(1600))
    }

    @Test mutating func `A watch that ends at once without a word is a failure, another is not`() {
        list(at: "100")
        _ = next()
        state.ended(after: .milliseconds(5), using: &generator)
        #expect(delay() != nil)
        _ = next()
        state.ended(after: .seconds(300), using: &generator)
        #expect(version(of: next()) == "100")
    }

    @Test mutating func `An event that cannot be read is tried once more, then left behind by a list`() {
        list(at: "100")
        _ = next()
        state.failed(.undecodable, using: &generator)
        _ = next()
        #expect(version(of: next()) == "100")
        state.failed(.undecodable, using: &generator)
        _ = next()
        let lists = isListing()
        #expect(lists)
    }

    @Test mutating func `A change that cannot be understood is looked up by a list`() {
        list(at: "100")
        state.failed(.unknownChange, using: &generator)
        let lists = isListing()
        #expect(lists)
    }

    @Test(arguments: [404, 403])
    mutating func `A resource that may be missing is looked for rarely`(code: Int) {
        state = ReflectorState(ReflectorSettings(isOptional: true))
        _ = next()
        state.failed(status(code), using: &generator)
        #expect(delay() == .seconds(600))
    }

    @Test mutating func `A version the server has never heard of is listed again`() {
        list(at: "99999999")
        _ = next()
        state.failed(status(504, "Timeout", retryAfter: 1), using: &generator)
        let lists = isListing()
        #expect(lists)
    }
}

/// The same numbers every time.
struct FixedGenerator: RandomNumberGenerator {
    private var value: UInt64 = 0x9e37_79b9_7f4a_7c15

    mutating func next() -> UInt64 {
        value ^= value << 13
        value ^= value >> 7
        value ^= value << 17
        return value
    }
}
