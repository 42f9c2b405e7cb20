import Testing

@testable import KubernetesAPI

/// The next steps of a reflector, without a server and without waiting.
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
        state.processBookmark(resourceVersion: version, isInitialEventsEnd: true)
    }

    private func status(_ code: Int, _ reason: String = "", retryAfter: Int? = nil, asEvent: Bool = false) -> ReflectorFailure {
        .status(APIStatus(code: code, reason: reason, message: "", retryAfterSeconds: retryAfter), asEvent: asEvent)
    }

    private func version(of step: ReflectorStep) -> String? {
        guard case .watch(let version, _) = step else { return nil }
        return version
    }

    @Test mutating func `A reflector starts with a streamed list of 5 to 10 minutes`() {
        guard case .streamList(let seconds) = next() else {
            Issue.record("not a streamed list")
            return
        }
        #expect(300...600 ~= seconds)
        #expect(!state.hasListed)
    }

    @Test mutating func `The stream continues as a watch, and is resumed from its last version`() {
        list(at: "100")
        #expect(state.hasListed)
        state.processEvent(resourceVersion: "105")
        state.ended(after: .seconds(400), using: &generator)
        #expect(version(of: next()) == "105")
    }

    @Test mutating func `An incomplete list is not resumed`() {
        _ = next()
        state.processEvent(resourceVersion: "90")
        state.processBookmark(resourceVersion: "95", isInitialEventsEnd: false)
        state.failed(.transport, using: &generator)
        #expect(delay() != nil)
        let lists = isListing()
        #expect(lists)
    }

    @Test mutating func `Bookmarks only advance the version to resume from`() {
        list(at: "100")
        state.processBookmark(resourceVersion: "120", isInitialEventsEnd: false)
        state.processBookmark(resourceVersion: "110", isInitialEventsEnd: false)
        state.processBookmark(resourceVersion: "", isInitialEventsEnd: false)
        #expect(state.resourceVersion == "120")
    }

    @Test(arguments: [(422, false), (400, false), (405, false), (415, false), (500, true)])
    mutating func `Pages replace streamed lists immediately and permanently if the server refuses them`(code: Int, asEvent: Bool) {
        _ = next()
        state.failed(status(code, asEvent: asEvent), using: &generator)
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.processPage(resourceVersion: "100", continueToken: nil)
        #expect(version(of: next()) == "100")
        state.failed(status(410, asEvent: true), using: &generator)
        #expect(next() == .page(resourceVersion: nil, limit: 500, continueToken: nil))
        #expect(!state.streamsLists)
    }

    @Test(arguments: [500, 503, 429, 401, 403])
    mutating func `A streamed list is retried if the server fails`(code: Int) {
        _ = next()
        state.failed(status(code), using: &generator)
        #expect(delay() != nil)
        #expect(state.streamsLists)
    }

    @Test mutating func `Repeatedly broken streams cause one paged list`() {
        for _ in 0..<3 {
            guard case .streamList = next() else {
                Issue.record("not a streamed list")
                return
            }
            state.ended(after: .seconds(60), using: &generator)
            _ = next()
        }
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.processPage(resourceVersion: "1", continueToken: nil)
        #expect(state.streamsLists)
        _ = next()
        state.processEvent(resourceVersion: "2")
        state.failed(status(410), using: &generator)
        guard case .streamList = next() else {
            Issue.record("streams are not retried")
            return
        }
    }

    @Test mutating func `Pages are requested in sequence, and an expired token causes a complete list`() {
        state = ReflectorState(ReflectorSettings(streamsLists: false))
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.processPage(resourceVersion: "100", continueToken: "a")
        #expect(next() == .page(resourceVersion: nil, limit: 500, continueToken: "a"))
        state.failed(status(410, "Expired"), using: &generator)
        #expect(next() == .page(resourceVersion: "0", limit: nil, continueToken: nil))
        state.processPage(resourceVersion: "101", continueToken: nil)
        #expect(version(of: next()) == "101")
    }

    @Test(arguments: [true, false])
    mutating func `An expired version causes a list, immediately the first time`(asEvent: Bool) {
        list(at: "100")
        _ = next()
        state.failed(status(410, "Expired", asEvent: asEvent), using: &generator)
        list(at: "200")
        _ = next()
        state.failed(status(410, "Expired", asEvent: asEvent), using: &generator)
        #expect(delay() != nil)
    }

    @Test mutating func `Retry-After is used up to a limit`() {
        list(at: "100")
        state.failed(status(429, retryAfter: 7), using: &generator)
        #expect((.seconds(7)...(.seconds(22))).contains(delay() ?? .zero))
        state.failed(status(503, retryAfter: 86400), using: &generator)
        #expect((.seconds(120)...(.seconds(135))).contains(delay() ?? .zero))
        #expect(version(of: next()) == "100")
    }

    @Test mutating func `Delays increase from 0.8 to 30 seconds and are reset after a success`() {
        list(at: "100")
        var delays: [Duration] = []
        for _ in 0..<12 {
            _ = next()
            state.failed(.unreachable, using: &generator)
            delays.append(delay() ?? .zero)
        }
        #expect(delays.allSatisfy { $0 >= .milliseconds(800) && $0 <= .seconds(30) })
        #expect((delays.last ?? .zero) >= .seconds(15))
        _ = next()
        state.processEvent(resourceVersion: "101")
        state.failed(.transport, using: &generator)
        #expect((delay() ?? .zero) <= .milliseconds(1600))
    }

    /// The next steps after the end of a watch.
    enum Then: Equatable, Sendable {
        /// The watch is resumed at its version immediately.
        case resume
        /// The watch is resumed at its version after a delay, however often this happens.
        case waitAndResume
        /// The watch is resumed at its version after a delay; a list follows the third time in a row.
        case waitAndResumeTwice
        /// A list immediately, and after a delay when it happens again.
        case list
        /// A list after a delay.
        case waitAndList
    }

    /// A kind of end of a watch.
    struct End: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var then: Then
        private var failure: ReflectorFailure?
        private var duration: Duration
        private var brings: String?

        init(_ description: String, _ failure: ReflectorFailure, _ then: Then) {
            (testDescription, self.failure, self.then, duration) = (description, failure, then, .zero)
        }

        init(_ description: String, after duration: Duration, bringing version: String? = nil, _ then: Then) {
            (testDescription, self.duration, brings, self.then) = (description, duration, version, then)
        }

        init(_ code: Int, _ reason: String = "", asEvent: Bool, _ then: Then) {
            let status = APIStatus(code: code, reason: reason, message: "", retryAfterSeconds: nil)
            self.init("\(asEvent ? "ERROR event" : "HTTP status") \(code) \(reason)", .status(status, asEvent: asEvent), then)
        }

        func happen(to state: inout ReflectorState, using generator: inout FixedGenerator) {
            if let brings { state.processEvent(resourceVersion: brings) }
            if let failure { state.failed(failure, using: &generator) } else { state.ended(after: duration, using: &generator) }
        }

        static let all =
            [
                End("ended after minutes", after: .seconds(400), .resume),
                End("ended at once after an event", after: .milliseconds(3), bringing: "100", .resume),
                End("ended at once without an event (empty body)", after: .milliseconds(3), .waitAndList),
                End("no connection", .unreachable, .waitAndResume),
                End("connection reset, protocol error, stream cut, silence", .transport, .waitAndResumeTwice),
                End("bytes that are not events", .undecodable, .list),
                End("an object that cannot be read, or an unknown type of event", .unknownChange, .list),
            ] + [400, 401, 403, 404, 405, 406, 408, 409, 410, 422, 500, 501, 504, 520].map { End($0, asEvent: false, .list) } + [
                End(429, "TooManyRequests", asEvent: false, .waitAndResume),
                End(502, asEvent: false, .waitAndResumeTwice),
                End(503, "ServiceUnavailable", asEvent: false, .waitAndResumeTwice),
                End(504, "Timeout", asEvent: false, .list),
            ] + [0, 200, 400, 401, 403, 404, 410, 422, 500, 502, 503, 504, 999].map { End($0, asEvent: true, .list) } + [
                End(429, "TooManyRequests", asEvent: true, .waitAndResume),
                End(500, "InternalError", asEvent: true, .list),
                End(410, "Expired", asEvent: true, .list),
            ]
    }

    @Test(arguments: End.all, [false, true]) mutating func `A watch that ends is resumed or replaced by a list`(end: End, brings: Bool) {
        list(at: "100")
        var steps: [Then] = []
        for _ in 0..<3 {
            // Lists are delayed even if a watch delivers events before it fails.
            if brings, end.then == .list { state.processEvent(resourceVersion: "100") }
            end.happen(to: &state, using: &generator)
            var step = next()
            var waited = false
            if case .wait = step {
                waited = true
                step = next()
            }
            if version(of: step) == "100" {
                steps.append(waited ? .waitAndResume : .resume)
            } else {
                steps.append(waited ? .waitAndList : .list)
                state.processBookmark(resourceVersion: "100", isInitialEventsEnd: true)
            }
        }
        switch end.then {
        case .resume, .waitAndResume, .waitAndList: #expect(steps == [end.then, end.then, end.then])
        case .waitAndResumeTwice: #expect(steps == [.waitAndResume, .waitAndResume, .waitAndList])
        case .list: #expect(steps == [.list, .waitAndList, .waitAndList])
        }
    }

    @Test mutating func `A list after a failed watch never returns older objects, and avoids reads from etcd`() {
        state = ReflectorState(ReflectorSettings(streamsLists: false))
        _ = next()
        state.processPage(resourceVersion: "100", continueToken: nil)
        _ = next()
        state.processEvent(resourceVersion: "105")
        state.failed(status(500, "InternalError", asEvent: true), using: &generator)
        #expect(next() == .page(resourceVersion: "105", limit: nil, continueToken: nil))
        // A version that the server does not have is not requested again.
        state.failed(status(504, "Timeout"), using: &generator)
        #expect(delay() != nil)
        #expect(next() == .page(resourceVersion: nil, limit: 500, continueToken: nil))
    }

    @Test mutating func `Lists are immediate again after a bookmark or a long watch`() {
        for recover in [
            { (state: inout ReflectorState, _: inout FixedGenerator) in
                state.processBookmark(resourceVersion: "101", isInitialEventsEnd: false); ()
            },
            { (state: inout ReflectorState, generator: inout FixedGenerator) in state.ended(after: .seconds(300), using: &generator) },
        ] {
            list(at: "100")
            for _ in 0..<2 {
                state.failed(.unknownChange, using: &generator)
                if case .wait = next() { list(at: "100") } else { state.processBookmark(resourceVersion: "100", isInitialEventsEnd: true) }
            }
            recover(&state, &generator)
            state.failed(.unknownChange, using: &generator)
            let lists = isListing()
            #expect(lists)
            state = ReflectorState()
        }
    }

    @Test mutating func `A list follows if no watch delivers anything, however the watches end`() {
        let ends = End.all.filter { $0.then != .waitAndResume && $0.then != .resume }
        for _ in 0..<2000 {
            list(at: "100")
            var watches = 0
            while state.resourceVersion != nil {
                ends.randomElement(using: &generator)?.happen(to: &state, using: &generator)
                watches += 1
            }
            #expect(watches <= 3)
            if case .wait = next() { continue }
        }
    }

    @Test(arguments: [ReflectorFailure.transport, .undecodable, .status(APIStatus(code: 400), asEvent: false)])
    mutating func `A page that fails repeatedly restarts the list`(failure: ReflectorFailure) {
        state = ReflectorState(ReflectorSettings(streamsLists: false))
        _ = next()
        state.processPage(resourceVersion: "100", continueToken: "a")
        for _ in 0..<3 {
            #expect(next() == .page(resourceVersion: nil, limit: 500, continueToken: "a"))
            state.failed(failure, using: &generator)
            #expect(delay() != nil)
        }
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
    }

    @Test mutating func `A streamed list without an end is replaced by pages immediately and permanently`() {
        _ = next()
        state.processEvent(resourceVersion: "90")
        state.failed(.listUnfinished, using: &generator)
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.processPage(resourceVersion: "100", continueToken: nil)
        #expect(version(of: next()) == "100")
        state.failed(status(410, asEvent: true), using: &generator)
        #expect(next() == .page(resourceVersion: nil, limit: 500, continueToken: nil))
    }

    @Test mutating func `A field selector that the server refuses is omitted if it is optional`() {
        state = ReflectorState(canOmitFields: true)
        _ = next()
        state.failed(status(400, "BadRequest"), using: &generator)
        #expect(!state.selectsFields && state.streamsLists)
        guard case .streamList = next() else {
            Issue.record("not retried at once")
            return
        }
        state.failed(status(422, "Invalid"), using: &generator)
        #expect(next() == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        state.processPage(resourceVersion: "100", continueToken: nil)
        #expect(!state.selectsFields)
    }

    @Test mutating func `A required field selector is kept`() {
        _ = next()
        state.failed(status(400, "BadRequest"), using: &generator)
        #expect(state.selectsFields && !state.streamsLists)
    }

    @Test(arguments: [(1000, false), (1001, true)])
    mutating func `Lists replace the watch above a number of objects`(count: Int, relists: Bool) {
        state = ReflectorState(ReflectorSettings(following: .watchUpTo(objects: 1000)))
        list(at: "100")
        let step = state.next(objectCount: count, using: &generator)
        #expect((version(of: step) == nil) == relists)
        guard relists else { return }
        guard case .wait(let pause) = step else {
            Issue.record("no pause between lists")
            return
        }
        #expect((.seconds(300)...(.seconds(600))).contains(pause))
        guard case .streamList = state.next(objectCount: count, using: &generator) else {
            Issue.record("no list after the pause")
            return
        }
        state.processBookmark(resourceVersion: "200", isInitialEventsEnd: true)
        // With fewer objects the watch continues from the last list.
        #expect(version(of: state.next(objectCount: 10, using: &generator)) == "200")
    }

    @Test(arguments: [(100, Duration.seconds(600)), (1200, .seconds(600)), (5000, .seconds(2500))])
    func `The pause between lists increases with the number of objects`(count: Int, longest: Duration) {
        #expect(ReflectorSettings.Following.relist.pause(count) == longest)
    }
}

/// A deterministic random number generator.
struct FixedGenerator: RandomNumberGenerator {
    private var value: UInt64 = 0x9e37_79b9_7f4a_7c15

    mutating func next() -> UInt64 {
        value ^= value << 13
        value ^= value >> 7
        value ^= value << 17
        return value
    }
}
