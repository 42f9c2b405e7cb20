internal import SystemPackage

/// A file that holds a token, a certificate or a kubeconfig.
enum SmallFile {
    /// Far more than any such file is.
    static let limit = 4 << 20

    static func read(_ path: String) throws(AccessError) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec])
            return try file.closeAfter {
                var bytes: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 16 << 10)
                while true {
                    let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
                    guard count > 0 else { return bytes }
                    bytes += buffer[..<count]
                    guard bytes.count <= limit else { throw Errno.fileTooLarge }
                }
            }
        } catch {
            throw AccessError(source: "file \(path)", message: "cannot be read: \(error)")
        }
    }

    /// The text of a file without the white space around it.
    static func readLine(_ path: String) throws(AccessError) -> String {
        guard let text = String(validating: try read(path), as: UTF8.self) else {
            throw AccessError(source: "file \(path)", message: "is not UTF-8 text")
        }
        let trimmed = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        let line = String(trimmed)
        guard !line.isEmpty else { throw AccessError(source: "file \(path)", message: "is empty") }
        guard !line.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value > 0x7e }) else {
            throw AccessError(source: "file \(path)", message: "holds more than one word of ASCII: it is no token")
        }
        return line
    }
}
