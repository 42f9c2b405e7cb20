/// Values of which nearly all objects have the defaults. They are allocated only if they differ: there are hundreds of thousands of objects.
public struct RareValues<Values: DefaultValues>: Hashable, Sendable {
    @usableFromInline indirect enum Box: Hashable, Sendable {
        case values(Values)
    }

    @usableFromInline var box: Box?

    @inlinable public init(_ values: Values = Values()) { box = values == Values() ? nil : .values(values) }

    /// Whether all are the defaults.
    @inlinable public var areDefaults: Bool { box == nil }

    @inlinable public var values: Values {
        get { if case .values(let values)? = box { values } else { Values() } }
        set { self = RareValues(newValue) }
    }
}

/// Values that all have a default.
public protocol DefaultValues: Hashable, Sendable {
    /// The defaults.
    init()
}
