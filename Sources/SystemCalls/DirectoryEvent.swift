/// What may have happened in a directory since someone last looked.
public enum DirectoryEvent: Hashable, Sendable {
    /// A file of this name was written and closed, moved or deleted.
    case changed(String)
    /// A file of this name was made, or its mode or owner changed: it can be read unless someone is writing to it.
    case touched(String)
    /// A file of this name is being written to, and whoever does so has not closed it.
    case writing(String)
    /// Anything: look at all files.
    case everything
}
