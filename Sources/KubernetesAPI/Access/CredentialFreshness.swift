/// When credentials have to be got again; knows no clock but what it is told.
struct CredentialFreshness: Hashable, Sendable {
    /// How long what was read from a file counts as what is in it.
    var interval: Duration
    private var readAt: Duration?
    /// Seconds since 1970.
    private var expiration: Double?
    private var isRefused = false
    private var expires = false

    /// How long before a credential expires it is not used any more: a request takes time.
    static let margin = 5.0

    init(interval: Duration = .seconds(60)) {
        self.interval = interval
    }

    /// Notes that credentials were got; `expiring` are those that say themselves how long they last.
    mutating func got(at uptime: Duration, expiring: Bool = false, expiration: Double? = nil) {
        readAt = uptime
        isRefused = false
        expires = expiring
        self.expiration = expiration
    }

    /// Notes that the server did not accept them (401).
    mutating func refused() { isRefused = true }

    /// Whether to get them again before the next request.
    func isDue(at uptime: Duration, secondsSince1970 time: Double) -> Bool {
        guard let readAt, !isRefused else { return true }
        guard expires else { return uptime - readAt >= interval }
        return expiration.map { time >= $0 - CredentialFreshness.margin } ?? false
    }
}
