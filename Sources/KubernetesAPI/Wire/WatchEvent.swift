/// An event of a watch (`meta/v1` WatchEvent).
public enum WatchEvent<Object: Sendable>: Sendable {
    case added(Versioned<Object>)
    case modified(Versioned<Object>)
    /// The state before the deletion, at the version of the deletion. An object that no longer fits the selectors is deleted too.
    case deleted(Versioned<Object>)
    /// All events up to a version have been told. The end of the initial events of a streaming list
    /// (annotation `k8s.io/initial-events-end`) is one of these.
    case bookmark(resourceVersion: String, isInitialEventsEnd: Bool)
    /// The watch has failed, and nothing follows: 410 where its version is gone.
    case error(APIStatus)
}

extension WatchEvent: Equatable where Object: Equatable {}
extension WatchEvent: Hashable where Object: Hashable {}
