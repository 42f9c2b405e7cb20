import Foundation
import Glibc
import Testing

@testable import Klog

@Suite(.timeLimit(.minutes(1))) struct `The output of the log` {
    private let pipe = Pipe()

    private func output(patience: Int32) -> LogOutput { LogOutput(pipe.fileHandleForWriting.fileDescriptor, patience: patience) }

    private func notice(_ dropped: Int) -> String { "dropped \(dropped)" }

    /// Reads what is in the pipe, without waiting.
    private func readAvailable() -> String {
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        defer { _ = fcntl(descriptor, F_SETFL, flags) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer.prefix(count) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `drops lines while nobody reads, and then reports their number`() throws {
        var output = output(patience: 0)
        let padding = String(repeating: ".", count: 100)
        for number in 0..<5000 { output.write("\(number)\(padding)", notice: notice) }
        let kept = readAvailable().split(separator: "\n")
        #expect(kept.count > 100 && kept.count < 5000)
        #expect(kept.enumerated().allSatisfy { $1 == "\($0)\(padding)" }, "lines are complete and in order")
        output.write("later", notice: notice)
        try pipe.fileHandleForWriting.close()
        let rest = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(rest == "dropped \(5000 - kept.count)\nlater\n")
    }

    @Test func `ends a line of which only a part had space`() throws {
        var output = output(patience: 0)
        output.write(String(repeating: "x", count: 1_000_000), notice: notice)
        let part = readAvailable()
        #expect(!part.isEmpty && part.count < 1_000_000)
        output.write("later", notice: notice)
        try pipe.fileHandleForWriting.close()
        #expect(String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) == "\ndropped 1\nlater\n")
    }

    @Test func `waits for a reader that is slow`() async throws {
        let reader = pipe.fileHandleForReading
        async let text = Task.detached { String(decoding: reader.readDataToEndOfFile(), as: UTF8.self) }.value
        var output = output(patience: 30_000)
        let line = String(repeating: "x", count: 300_000)
        for _ in 0..<3 { output.write(line, notice: notice) }
        try pipe.fileHandleForWriting.close()
        #expect(await text == String(repeating: "\(line)\n", count: 3))
    }
}
