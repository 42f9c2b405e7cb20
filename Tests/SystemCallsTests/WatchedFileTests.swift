import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import SystemCalls

/// A temporary directory with a watched file.
private final class Folder: Sendable {
    let path = FileManager.default.temporaryDirectory.path + "/watched-\(UInt64.random(in: 0 ... .max))"

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit {
        // Leftover temporary files are harmless.
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ name: String, _ text: String) throws {
        let file = try #require(unsafe fopen("\(path)/\(name)", "w"))
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    func link(_ target: String, _ name: String) { #expect(unsafe symlink(target, "\(path)/\(name)") == 0) }
    func move(_ from: String, _ to: String) { #expect(unsafe rename("\(path)/\(from)", "\(path)/\(to)") == 0) }

    /// Makes a change while the file is watched, and returns whether it is reported within the limit.
    func reports(_ name: String, _ limit: Duration = .seconds(300), _ change: @Sendable @escaping () throws -> Void) async throws -> Bool {
        let file = try WatchedFile("\(path)/\(name)")
        return try await withThrowingTaskGroup { group in
            group.addTask { try await file.changed() }
            group.addTask {
                try await Task.sleep(for: .milliseconds(200))
                try change()
                try await Task.sleep(for: limit)
                return false
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
    }
}

@Suite struct `A watched file` {
    @Test func `is reported when it is written, whatever its name`() async throws {
        let folder = try Folder()
        try folder.write("config.conf", "a")
        #expect(try await folder.reports("config.conf") { try folder.write("config.conf", "b") })
    }

    @Test func `is reported when another file is renamed to it`() async throws {
        let folder = try Folder()
        try folder.write("config.conf", "a")
        #expect(
            try await folder.reports("config.conf") {
                try folder.write("new", "b")
                folder.move("new", "config.conf")
            })
    }

    @Test func `is reported when the symbolic link of a ConfigMap volume is swapped`() async throws {
        let folder = try Folder()
        for (version, text) in [("1", "a"), ("2", "b")] {
            try FileManager.default.createDirectory(atPath: "\(folder.path)/..\(version)", withIntermediateDirectories: true)
            try folder.write("..\(version)/config.conf", text)
        }
        folder.link("..1", "..data")
        folder.link("..data/config.conf", "config.conf")
        #expect(
            try await folder.reports("config.conf") {
                folder.link("..2", "..data_tmp")
                folder.move("..data_tmp", "..data")
            })
    }

    @Test func `is reported when the target of its symbolic link is written`() async throws {
        let (folder, other) = (try Folder(), try Folder())
        try other.write("target", "a")
        folder.link("\(other.path)/target", "config.conf")
        #expect(try await folder.reports("config.conf") { try other.write("target", "b") })
    }

    @Test func `is not reported when it is rewritten, touched, or moved away and back`() async throws {
        let folder = try Folder()
        try folder.write("config.conf", "a")
        let reported = try await folder.reports("config.conf", .seconds(2)) {
            try folder.write("config.conf", "a")
            #expect(unsafe utimes("\(folder.path)/config.conf", nil) == 0)
            folder.move("config.conf", "away")
            folder.move("away", "config.conf")
        }
        #expect(!reported)
    }

    @Test func `that cannot be read is named in the error`() throws {
        let error = #expect(throws: WatchedFile.Unreadable.self) { try WatchedFile("/no/such/file") }
        #expect(error?.description.hasPrefix("/no/such/file: failed to read: open: No such file") == true)
        #expect(throws: WatchedFile.Unreadable.self) { try WatchedFile("/") }
    }

    @Test func `is reported once its content is stable, and later if it is empty`() {
        var stability = WatchedFile.Stability(original: [1])
        #expect(stability.observe([1]) == .same && stability.observe(nil) == .same)
        #expect(stability.observe([2]) == .unsettled && stability.observe([2, 3]) == .unsettled && stability.observe([1]) == .same)
        #expect(stability.observe([2]) == .unsettled && stability.observe([2]) == .changed)
        var empty = WatchedFile.Stability(original: [1])
        for _ in 0..<8 { #expect(empty.observe([]) == .unsettled) }
        #expect(empty.observe([]) == .changed)
    }
}
