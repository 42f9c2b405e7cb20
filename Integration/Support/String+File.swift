import FoundationEssentials

extension String {
    /// The text of a file.
    package init(ofFile path: String) throws { self = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self) }
}
