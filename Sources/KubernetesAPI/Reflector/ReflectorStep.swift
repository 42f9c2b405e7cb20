/// What a reflector does next.
public enum ReflectorStep: Hashable, Sendable {
    /// Watch from nowhere: first everything there is (`sendInitialEvents`), then what changes.
    case streamList(timeoutSeconds: Int)
    /// Get a page of a list; `resourceVersion` "0" is whatever the server has at hand, nil the newest.
    case page(resourceVersion: String?, limit: Int?, continueToken: String?)
    case watch(resourceVersion: String, timeoutSeconds: Int)
    case wait(Duration)
}

/// How a step went wrong.
public enum ReflectorFailure: Hashable, Sendable {
    /// The server refused, with a status line or, `asEvent`, in the middle of a watch.
    case status(APIStatus, asEvent: Bool)
    /// There was no connection to the server, or there are no credentials: nothing is known of the server.
    case unreachable
    /// The connection failed or fell silent before the answer was whole.
    case transport
    /// The end of a streamed list did not come in time.
    case listUnfinished
    /// Something happened to an object, and only a list can tell what.
    case unknownChange
    /// What came is not what the API sends.
    case undecodable
}
