internal import SystemCalls
internal import SystemPackage

/// A setting of the kernel under `/proc/sys`.
struct Sysctl: Hashable {
    /// As `sysctl` names it: `net.ipv4.vs.conntrack`.
    let name: String

    init(_ name: String) { self.name = name }

    private var path: FilePath { FilePath("/proc/sys/" + String(name.map { $0 == "." ? "/" : $0 })) }

    /// Nil where this kernel does not have it.
    func read() throws(DataplaneError) -> String? {
        do {
            return try TextFile.read(path)?.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        } catch {
            throw DataplaneError("sysctl \(name)", error, what: "cannot be read")
        }
    }

    func write(_ value: String) throws(DataplaneError) {
        do {
            try TextFile.write(value, to: path, options: [])
        } catch {
            throw DataplaneError(
                "sysctl -w \(name)=\(value)", error,
                advice: "run as root with a writable /proc/sys, or set it on the node before (in /etc/sysctl.d)")
        }
    }
}

/// Small text files, whole.
enum TextFile {
    /// Nil where there is no such file.
    ///
    /// - Parameter limit: reads not much more than so many bytes.
    static func read(_ path: FilePath, limit: Int = .max) throws(Errno) -> String? {
        do {
            return String(decoding: try SmallFile.readBeginning(of: path.string, limit: limit), as: UTF8.self)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error.errno ?? .ioError
        }
    }

    static func write(_ text: String, to path: FilePath, options: FileDescriptor.OpenOptions) throws(Errno) {
        do {
            let file = try FileDescriptor.open(path, .writeOnly, options: options, permissions: [.ownerReadWrite])
            try file.closeAfter { _ = try file.writeAll(text.utf8) }
        } catch let error as Errno {
            throw error
        } catch {
            throw Errno.ioError
        }
    }
}
