/// What to do about events.
enum EventStep: Hashable {
    case send(EventDelivery)
    /// Nothing, for this long or until an event comes; nil if only an event can change that.
    case wait(Duration?)
}
