extension APIError {
    /// What a failed request says about the event; nil where the server has taken it for all that is known.
    func eventFailure(of delivery: EventDelivery) -> EventFailure? {
        switch self {
        // Only answers that say success are read.
        case .unreadable: nil
        case .access, .unreachable, .transport, .silent, .cancelled: .passing(retryAfter: nil)
        case .status(let status): status.eventFailure(of: delivery)
        }
    }
}

extension APIStatus {
    fileprivate func eventFailure(of delivery: EventDelivery) -> EventFailure? {
        switch code {
        case 404 where delivery.method == .patch: .missing
        // The try before came through, and only its answer was lost.
        case 409 where delivery.method == .create && reason == "AlreadyExists": nil
        case 408, 429, 500...: .passing(retryAfter: retryAfterSeconds.map { .seconds($0) })
        default: .refused
        }
    }
}
