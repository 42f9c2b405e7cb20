/// An object of the configuration: one list of its fields serves for reading and for writing.
protocol FieldObject: FieldValue {
    init()
    /// Shows every field, in Kubernetes's order, under its name in JSON.
    mutating func visit(_ fields: inout some FieldVisitor)
}

/// What passes over the fields of an object.
protocol FieldVisitor {
    /// - Parameter omitsEmpty: not written where it is empty (`omitempty`).
    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value, omitsEmpty: Bool)
}

extension FieldVisitor {
    mutating func field<Value: FieldValue>(_ name: String, _ value: inout Value) { field(name, &value, omitsEmpty: false) }
}
