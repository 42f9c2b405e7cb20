import SystemPackage
import Testing

@testable import KernelDataplane

@Suite struct `The path of a program` {
    @Test func `is that of the first executable file in PATH`() {
        #expect(Command.path(of: "sh", in: "/nonexistent::/bin:/usr/bin") == "/bin/sh")
        // The first is a file of data.
        #expect(Command.path(of: "passwd", in: "/etc:/usr/bin") == "/usr/bin/passwd")
        #expect(Command.path(of: "/bin/sh", in: "/nonexistent") == "/bin/sh")
        #expect(Command.path(of: "no-such-program", in: "/bin:/usr/bin") == nil)
    }

    @Test func `is found in folders of the system without PATH`() {
        #expect(Command.path(of: "sh", in: nil)?.lastComponent == "sh")
    }

    @Test func `may be that of a program that cannot be executed`() async {
        #expect(await Command.attempt("/nonexistent/program", []) == .notFound)
    }
}
