internal import SystemCalls
internal import SystemPackage
internal import Text

/// A file that holds a token, a certificate or a kubeconfig.
enum CredentialFile {
    /// Far more than any such file is.
    private static let limit: Int64 = 4 << 20

    static func read(_ path: String) throws(AccessError) -> [UInt8] {
        do {
            return try SmallFile.read(path, limit: limit, .any).bytes
        } catch {
            throw AccessError(source: "file \(path)", message: "cannot be read: \(error.errno?.description ?? error.description)")
        }
    }

    /// The text of a file without the white space around it.
    static func readLine(_ path: String) throws(AccessError) -> String {
        guard let text = String(validating: try read(path), as: UTF8.self) else {
            throw AccessError(source: "file \(path)", message: "is not UTF-8 text")
        }
        let line = text.trimmed
        guard !line.isEmpty else { throw AccessError(source: "file \(path)", message: "is empty") }
        guard !line.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value > 0x7e }) else {
            throw AccessError(source: "file \(path)", message: "holds more than one word of ASCII: it is no token")
        }
        return line
    }
}
