/// `type` of a watch event.
enum EventType: Hashable {
    enum Change { case added, modified, deleted }

    case changed(Change)
    case bookmark
    case error

    init?(rawValue: String) {
        switch rawValue {
        case "ADDED": self = .changed(.added)
        case "MODIFIED": self = .changed(.modified)
        case "DELETED": self = .changed(.deleted)
        case "BOOKMARK": self = .bookmark
        case "ERROR": self = .error
        default: return nil
        }
    }

    static func unknown(_ type: String) -> WireError {
        WireError(field: "type", message: "must be ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, not \(WireError.printable(type))")
    }
}
