internal import ArgumentParser
internal import KernelDataplane

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Print the kernel's virtual servers and their real servers.",
        discussion: """
            Reads the kernel, whether or not a proxy runs, and prints what `ipvsadm -L -n` prints.

            EXAMPLE
              kube-ipvs-proxy status
            """)

    @Flag(name: [.customShort("L"), .customShort("l"), .customLong("list")], help: "List the table (the default).")
    var list = false

    @Flag(name: [.customShort("n"), .customLong("numeric")], help: "Print addresses and ports as numbers (always so here).")
    var numeric = false

    func run() async throws {
        try await reportingFailure {
            try KernelSetup.requirePrivilege()
            let ipvs = try IPVSClient()
            print(IPVSListing(info: try ipvs.info(), services: try ipvs.services()).text, terminator: "")
        }
    }
}
