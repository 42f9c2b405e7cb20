/// What came of a request about an event, if not success.
enum EventFailure: Hashable {
    /// The server was not reached, was in trouble or was busy; another try may succeed.
    case passing(retryAfter: Duration?)
    /// The server does not have the event whose count was told.
    case missing
    /// The server does not want it.
    case refused
}
