public import Model
internal import Text

/// A problem in an input: its location, and what is wrong.
public struct SourceProblem: Hashable, Sendable, CustomStringConvertible {
    /// The file, where the input is one.
    public var file: String?
    /// The number of the document in the file, from 1.
    public var document: Int?
    /// The line of the file at which the document, or the error in it, starts, from 1.
    public var line: Int?
    /// The kind of the object, if known.
    public var kind: String?
    /// The object, if its name is known.
    public var object: NamespacedName?
    /// The field: `spec.ports[0].port`.
    public var field: String?
    /// The value of the field.
    public var value: String?
    /// What is wrong, or the required value.
    public var message: String

    public init(
        file: String? = nil, document: Int? = nil, line: Int? = nil, kind: String? = nil, object: NamespacedName? = nil,
        field: String? = nil, value: String? = nil, message: String
    ) {
        self.file = file
        self.document = document
        self.line = line
        self.kind = kind
        self.object = object
        self.field = field
        self.value = value
        self.message = message
    }

    /// One line: `/etc/web.yaml document 2 (line 14), Service default/web, spec.ports[0].port "70000": must be a port, 1 to 65535`.
    public var description: String {
        var place: [String] = []
        let atLine = line.map { " (line \($0))" } ?? ""
        let inDocument = document.map { "document \($0)\(atLine)" }
        let origin = [file.map(SourceProblem.printable), inDocument].compactMap(\.self).joined(separator: " ")
        if !origin.isEmpty { place.append(origin) }
        if let object {
            let name = object.namespace.isEmpty ? object.name : object.description
            place.append(SourceProblem.printable(kind.map { "\($0) \(name)" } ?? name))
        } else if let kind {
            place.append(SourceProblem.printable(kind))
        }
        let quoted = value.map { "\"\(SourceProblem.printable($0))\"" }
        let fieldAndValue = [field.map(SourceProblem.printable), quoted].compactMap(\.self).joined(separator: " ")
        if !fieldAndValue.isEmpty { place.append(fieldAndValue) }
        let message = SourceProblem.printable(message, limit: 400)
        return place.isEmpty ? message : "\(place.joined(separator: ", ")): \(message)"
    }

    /// Returns text that cannot forge a log line or move a terminal's cursor: the input is untrusted.
    static func printable(_ text: String, limit: Int) -> String { text.printable(limit: limit) }

    static func printable(_ text: String) -> String { printable(text, limit: 200) }
}
