import Glibc

/// The limits after which a client stops sending requests; the first one applies.
struct Ending {
    private var count: Int?
    private let moment: ContinuousClock.Instant?
    private let file: String?
    /// The number of requests to send once the file exists.
    private let requestsAfterFile: Int
    private var requestsBeforeFile: Int?

    init(_ arguments: inout Arguments, count: Int?, requestsAfterFile: Int = 0) throws {
        self.count = count
        self.requestsAfterFile = requestsAfterFile
        moment = try arguments.takeMilliseconds("--for-ms").map { .now + $0 }
        file = try arguments.takeValue("--until-file")
    }

    var isBounded: Bool { count != nil || moment != nil || file != nil }

    func after(_ count: Int) -> Ending {
        var ending = self
        ending.count = count
        return ending
    }

    mutating func hasCome(afterRequests requests: Int = 0) -> Bool {
        if let count, requests >= count { return true }
        if let moment, ContinuousClock.now >= moment { return true }
        guard let file, requestsBeforeFile != nil || access(file, F_OK) == 0 else { return false }
        let before = requestsBeforeFile ?? requests
        requestsBeforeFile = before
        return requests >= before + requestsAfterFile
    }
}
