/// Where certificates or a key in PEM come from.
public enum PEMSource: Hashable, Sendable {
    /// A file, read again as it is replaced.
    case file(String)
    /// The text itself.
    case data([UInt8])
}

extension PEMSource: CustomStringConvertible {
    /// The data may be a key and is not shown.
    public var description: String {
        switch self {
        case .file(let path): path
        case .data(let bytes): "\(bytes.count) bytes"
        }
    }
}
