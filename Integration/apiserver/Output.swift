internal import SystemPackage

/// Unbuffered output: the reader of a pipe must not wait for a buffer to fill.
enum Output {
    static func say(_ line: String) throws { try FileDescriptor.standardOutput.writeAll("\(line)\n".utf8) }

    static func report(_ line: String) throws { try FileDescriptor.standardError.writeAll("\(line)\n".utf8) }

    static func write(_ bytes: [UInt8]) throws { try FileDescriptor.standardOutput.writeAll(bytes) }
}
