import Glibc

/// The reading of one file, which may be anything at all.
enum ManifestFile {
    /// Larger ones are refused: all of a file is held in memory, several times over.
    static let maximumSize: Int64 = 512 << 20

    /// Whether a file of that name is read: `*.yaml`, `*.yml` and `*.json` that are not hidden.
    static func isManifest(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    /// The bytes of a file and its stamp from before they were read, so that a write in the meantime is seen later.
    static func read(_ path: String, maximumSize: Int64 = ManifestFile.maximumSize) throws -> (bytes: [UInt8], stamp: FileStamp) {
        // Without blocking: opening a pipe that nobody writes to would never return.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw FileError("open", path, errno) }
        defer { close(descriptor) }
        let stamp = try FileStamp(descriptor: descriptor, path: path)
        guard stamp.isRegular else { throw Refusal.notRegular }
        guard stamp.size <= maximumSize else { throw Refusal.tooLarge(limit: maximumSize) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(stamp.size) + 1)
        var chunk = [UInt8](repeating: 0, count: max(4096, min(Int(stamp.size) + 1, 1 << 20)))
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path, errno) }
            if count == 0 { return (bytes, stamp) }
            bytes += chunk[..<count]
            // It may grow while it is read.
            guard bytes.count <= maximumSize else { throw Refusal.tooLarge(limit: maximumSize) }
        }
    }

    enum Refusal: Error, CustomStringConvertible {
        case notRegular
        case tooLarge(limit: Int64)

        var description: String {
            switch self {
            case .notRegular: "is not a regular file"
            case .tooLarge(let limit): "is larger than \(limit >> 20) MiB: part it"
            }
        }
    }

    /// The names of the manifests in a directory, in order.
    static func names(in directory: String) throws(FileError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw FileError("opendir", directory, errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                // A listing that breaks off would look as if files had been deleted.
                guard errno == 0 else { throw FileError("readdir", directory, errno) }
                return names.sorted()
            }
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if isManifest(name) { names.append(name) }
        }
    }
}
