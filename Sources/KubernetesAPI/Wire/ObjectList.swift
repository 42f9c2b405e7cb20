/// What the API server answers to a list, or one page of it.
public struct ObjectList<Object: Sendable>: Sendable {
    /// `items`, those that could be read.
    public var items: [Versioned<Object>]
    /// `metadata.resourceVersion`: from where a watch goes on.
    public var resourceVersion: String
    /// `metadata.continue`: what asks for the next page; nil on the last one.
    public var continueToken: String?
    /// The items that could not be read.
    public var problems: [WireProblem]

    public init(items: [Versioned<Object>], resourceVersion: String, continueToken: String? = nil, problems: [WireProblem] = []) {
        self.items = items
        self.resourceVersion = resourceVersion
        self.continueToken = continueToken
        self.problems = problems
    }
}

extension ObjectList: Equatable where Object: Equatable {}
extension ObjectList: Hashable where Object: Hashable {}
