internal import Glibc
internal import SystemCalls

/// The files of a directory of manifests.
enum ManifestFile {
    /// Larger ones are refused: all of a file is held in memory, several times over.
    static let maximumSize: Int64 = 512 << 20

    /// Whether a file of that name is read: `*.yaml`, `*.yml` and `*.json` that are not hidden.
    static func isManifest(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
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
