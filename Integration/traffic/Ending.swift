import Glibc

/// The limits after which a client stops sending requests; the first one applies.
struct Ending {
    private var count: Int?
    private let moment: ContinuousClock.Instant?
    private let file: String?

    init(_ arguments: inout Arguments, count: Int?) throws {
        self.count = count
        moment = try arguments.takeMilliseconds("--for-ms").map { .now + $0 }
        file = try arguments.takeValue("--until-file")
    }

    var isBounded: Bool { count != nil || moment != nil || file != nil }

    func after(_ count: Int) -> Ending {
        var ending = self
        ending.count = count
        return ending
    }

    func hasCome(afterRequests requests: Int = 0) -> Bool {
        if let count, requests >= count { return true }
        if let moment, ContinuousClock.now >= moment { return true }
        if let file, access(file, F_OK) == 0 { return true }
        return false
    }
}
