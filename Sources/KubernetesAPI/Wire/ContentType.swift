/// In which of its encodings the API server speaks.
public enum ContentType: String, Hashable, Sendable, CaseIterable {
    case json = "application/json"
    case protobuf = "application/vnd.kubernetes.protobuf"

    /// What a `Content-Type` header names, whatever its parameters: `application/vnd.kubernetes.protobuf;stream=watch`.
    ///
    /// Nil for other types, such as the `text/plain` of a proxy in between.
    public init?(header: String) {
        let type = header.prefix { $0 != ";" }.filter { !$0.isWhitespace }
        self.init(rawValue: type.lowercased())
    }
}
