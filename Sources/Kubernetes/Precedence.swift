public import Model

/// The precedence of Services that claim the same resource: the older one comes first, then by name.
public struct Precedence: Hashable, Sendable, Comparable {
    /// `metadata.creationTimestamp`; Services without one come last.
    public var created: Time?
    public var service: NamespacedName

    public init(created: Time?, service: NamespacedName) {
        self.created = created
        self.service = service
    }

    /// Whether this Service is certainly older: both creation times are known.
    public func isOlder(than other: Precedence) -> Bool {
        guard let mine = created, let theirs = other.created else { return false }
        return mine < theirs
    }

    public static func < (lhs: Precedence, rhs: Precedence) -> Bool {
        switch (lhs.created, rhs.created) {
        case (let mine?, let theirs?) where mine != theirs: mine < theirs
        case (.some, nil): true
        case (nil, .some): false
        default: lhs.service < rhs.service
        }
    }
}
