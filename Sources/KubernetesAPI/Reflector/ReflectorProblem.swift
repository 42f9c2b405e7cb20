/// A failure with what a log says of it.
struct ReflectorProblem: Error, Hashable {
    var failure: ReflectorFailure
    var message: String

    /// An object in a watch that cannot be understood.
    init(_ problem: WireProblem) {
        failure = .unknownChange
        message = "\(problem)"
    }

    /// A streamed list that has no end.
    static func listUnfinished(after duration: Duration) -> ReflectorProblem {
        ReflectorProblem(
            failure: .listUnfinished,
            message: "the streamed list did not end within \(duration): the bookmark with k8s.io/initial-events-end is missing")
    }

    /// A stream that ended where it must not.
    static let cutInEvent = ReflectorProblem(APIError.transport("the stream ended within an event"))

    private init(failure: ReflectorFailure, message: String) {
        self.failure = failure
        self.message = message
    }

    init(_ error: any Error) {
        message = "\(error)"
        switch error {
        case let problem as ReflectorProblem: self = problem
        // Only the event of a watch is thrown bare.
        case let status as APIStatus: failure = .status(status, asEvent: true)
        case APIError.status(let status): failure = .status(status, asEvent: false)
        case APIError.unreadable: failure = .undecodable
        case APIError.unreachable, APIError.access: failure = .unreachable
        case let error as WireError:
            failure = .undecodable
            message = "\(error)"
        default: failure = .transport
        }
    }
}
