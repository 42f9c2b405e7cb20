import Glibc

/// A system call on a file that failed.
struct FileError: Error, Hashable, CustomStringConvertible {
    var call: String
    var path: String
    var code: Int32

    init(_ call: String, _ path: String, _ code: Int32) {
        self.call = call
        self.path = path
        self.code = code
    }

    /// The file is not there, as against there and out of reach.
    var isAbsent: Bool { code == ENOENT || code == ENOTDIR }

    /// `open: Permission denied`.
    var description: String { "\(call): \(FileError.text(of: code))" }

    private static func text(of code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
