/// An object, and the version of the cluster's state in which it was last changed.
public struct Versioned<Object: Sendable>: Sendable {
    public var object: Object
    /// `metadata.resourceVersion`: opaque, for the server to read.
    public var resourceVersion: String

    public init(object: Object, resourceVersion: String) {
        self.object = object
        self.resourceVersion = resourceVersion
    }
}

extension Versioned: Equatable where Object: Equatable {}
extension Versioned: Hashable where Object: Hashable {}
