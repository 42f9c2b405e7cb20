/// How often a question that was not answered is asked again, and for how long.
public struct Patience: Hashable, Sendable {
    /// Nil for as long as the program runs.
    public var limit: Duration?

    public init(limit: Duration?) { self.limit = limit }

    /// Of the proxy, which is of no use without the answer, and of no more use after a restart.
    public static let endless = Patience(limit: nil)
    /// Of a command, which somebody waits for.
    public static let ofCommands = Patience(limit: .seconds(30))

    private static let firstPause = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(10)

    /// How long to wait before the next attempt: half a second, then twice as long each time up to ten seconds.
    ///
    /// - Parameters:
    ///   - attempts: how often the question was asked; at least once.
    ///   - elapsed: time since it was asked first.
    /// - Returns: nil if it should not be asked again.
    public func pause(after attempts: Int, elapsed: Duration) -> Duration? {
        let doublings = min(max(attempts, 1) - 1, 16)
        let pause = min(Patience.firstPause * (1 << doublings), Patience.longestPause)
        if let limit, elapsed + pause > limit { return nil }
        return pause
    }
}
