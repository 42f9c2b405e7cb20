/// A piece of a file that stands for itself.
struct ManifestDocument: Sendable {
    enum Content: Sendable {
        case item(ManifestItem)
        /// Not even readable as YAML or JSON.
        case unreadable(String)
    }

    /// Which one of the file, from 1.
    var number: Int
    /// The line at which it starts, or at which reading it failed, from 1.
    var line: Int
    var content: Content
}
