/// By what interface traffic of this node's pods is known (`detectLocal`).
public struct DetectLocalConfiguration: Hashable, Sendable {
    /// Where `detectLocalMode` is `BridgeInterface`.
    public var bridgeInterface = ""
    /// Where it is `InterfaceNamePrefix`.
    public var interfaceNamePrefix = ""

    public init() {}
}

extension DetectLocalConfiguration: FieldObject {
    mutating func visit(_ fields: inout some FieldVisitor) {
        fields.field("bridgeInterface", &bridgeInterface)
        fields.field("interfaceNamePrefix", &interfaceNamePrefix)
    }
}
