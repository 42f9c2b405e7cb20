/// One request about an event.
struct EventDelivery: Hashable {
    enum Method: Hashable {
        /// Tells the event, with its count if that is more than one.
        case create
        /// Tells the count.
        case patch
    }

    var method: Method
    var key: EventKey
    /// The event as it was when it was its turn.
    var series: EventSeries
}
