internal import ArgumentParser
internal import FoundationEssentials
internal import KernelDataplane
internal import Klog
internal import KubeProxyConfiguration
internal import Kubernetes
internal import Logging
internal import Model
internal import StatusAPI
internal import StatusTable
internal import YAML

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the virtual servers in the kernel with their Services and pods, and problems.",
        discussion: """
            Reads the kernel state, and gets the names of Services and pods from the running proxy through a socket in its state directory. Without a \
            proxy, the output has no names. With -n, -c, -S, -Z, --timeout and --tun-info, the output is that of ipvsadm; with -n, byte for byte.

            EXAMPLES
              kube-ipvs-proxy status
              kube-ipvs-proxy status --namespace kube-system --service kube-dns
              kube-ipvs-proxy status --selector 'app=web,tier in (front,back)'
              kube-ipvs-proxy status --rate --watch
              kube-ipvs-proxy status -o json
              kube-ipvs-proxy status check
              kube-ipvs-proxy status explain 10.96.0.10:53/UDP
              kube-ipvs-proxy status -L -n --stats
              kube-ipvs-proxy status -L -n -t 10.96.0.10:53
              kube-ipvs-proxy status -L -n -c
              kube-ipvs-proxy status -S > table; ipvsadm -R < table
            """,
        subcommands: [StatusCheckCommand.self, StatusExplainCommand.self])

    enum Format: String, ExpressibleByArgument, CaseIterable { case wide, json, yaml, name }

    @OptionGroup var ipvsadm: IPVSAdmOptions

    @Option(name: [.short, .long], help: "Output format: wide, json, yaml or name (which `status explain` accepts).")
    var output: Format?

    @Option(help: ArgumentHelp("Show only virtual servers of Services in this namespace.", valueName: "name"))
    var namespace: String?

    @Option(help: ArgumentHelp("Show only virtual servers of Services with this name.", valueName: "name"))
    var service: String?

    @Option(
        help: ArgumentHelp(
            "Show only virtual servers of Services that match this label selector: app=web,tier!=cache,env in (prod,test),!canary.",
            valueName: "selector"))
    var selector: String?

    @Flag(help: "Refresh the table every two seconds, with rates, and mark added and removed lines.")
    var watch = false

    @OptionGroup var stateDirectory: StateDirectory

    func validate() throws {
        let isNamed = output != nil || namespace != nil || service != nil || selector != nil || watch
        if isNamed, ipvsadm.printsAsIPVSAdm {
            throw ValidationError(
                "--output, --namespace, --service, --selector and --watch cannot be combined with -n, -c, -S, -Z, --timeout or --tun-info")
        }
        do throws(LabelSelector.Malformed) {
            if let selector { _ = try LabelSelector(selector) }
        } catch {
            throw ValidationError("--selector: \(error)")
        }
        if watch, let output, output != .wide { throw ValidationError("--watch cannot be combined with --output \(output.rawValue)") }
    }

    func run() async throws {
        try await reportingFailure {
            try KernelSetup.requirePrivilege()
            if ipvsadm.printsAsIPVSAdm {
                try runAsIPVSAdm()
            } else if watch {
                try await follow()
            } else {
                try show(await document())
            }
        }
    }

    private func show(_ document: StatusDocument) throws {
        switch output {
        case .json: print(try document.json)
        case .yaml: print(try document.yaml, terminator: "")
        case .name: document.virtualServers.forEach { print($0.name) }
        case .wide, nil: Screen().write(NamedTable(document, columns: columns).lines)
        }
    }

    /// - Parameter reports: whether to warn if no proxy responds.
    private func document(reports: Bool = true) async throws -> StatusDocument {
        var report: ProxyReport?
        do {
            report = try await ProxySocket(stateDirectory: stateDirectory.find()).report(selector)
        } catch {
            // The kernel has no labels to select by.
            if selector != nil { throw error }
            if reports { warn("\(error)\nShowing the kernel's IPVS table without Service names.") }
        }
        let key = ipvsadm.key
        var services = try await Probing(.ofCommands, Logger(verbosity: 0, quiet: true)).run("IPVS") {
            let ipvs = try IPVSClient()
            guard let key else { return try ipvs.services() }
            guard let service = try ipvs.service(key) else { throw NoSuchService() }
            return [service]
        }
        if let key {
            report?.virtualServers.removeAll { $0.identity != key.identity }
            report?.notServed = []
            report?.failing = []
        }
        if !ipvsadm.nosort { services = IPVSListing.sorted(services) }
        let document = StatusDocument(services, report).filtered(namespace: namespace, service: service)
        return selector == nil ? document : document.servicesOnly
    }

    private var columns: NamedTable.Columns {
        switch ipvsadm.columns {
        case .statistics: .statistics
        case .rates: .rates
        case .thresholds: .thresholds
        case .persistentConnections: .persistentConnections
        case .connections, .tunnels: output == .wide ? .wide : watch ? .watched : .connections
        }
    }

    private func follow() async throws {
        let screen = Screen()
        var before: [NamedTable.Line] = []
        while !Task.isCancelled {
            let lines = NamedTable(try await document(reports: false), columns: columns).lines
            screen.redraw(lines, before: before)
            before = lines
            try await Task.sleep(for: .seconds(2))
        }
    }

    /// With ipvsadm's message.
    struct NoSuchService: Error, CustomStringConvertible {
        let description = "No such service"
    }
}

extension StatusCommand {
    func runAsIPVSAdm() throws {
        let ipvs = try IPVSClient()
        if ipvsadm.zero {
            guard try ipvs.zero(ipvsadm.key) else { throw NoSuchService() }
        } else if ipvsadm.save {
            let services = try ipvs.services()
            write(IPVSSave(services, isSorted: !ipvsadm.nosort, isComplete: !ipvsadm.numeric).text)
        } else if ipvsadm.timeout {
            let timeouts = try ipvs.timeouts()
            let seconds = [timeouts.tcp, timeouts.tcpFin, timeouts.udp].map { "\($0.components.seconds)" }
            write("Timeout (tcp tcpfin udp): \(seconds.joined(separator: " "))\n")
        } else if ipvsadm.connection {
            try listConnections()
        } else if let key = ipvsadm.key {
            guard let service = try ipvs.service(key) else { throw NoSuchService() }
            write(IPVSListing([service], columns: ipvsadm.columns, isSorted: !ipvsadm.nosort).text(nil))
        } else {
            write(IPVSListing(try ipvs.services(), columns: ipvsadm.columns, isSorted: !ipvsadm.nosort).text(try ipvs.info()))
        }
    }

    private func listConnections() throws {
        write(IPVSConnection.heading(withEngines: ipvsadm.persistentConn))
        var text = ""
        try ConnectionTable.forEachLine { line in
            guard let connection = IPVSConnection(line) else { return }
            text += connection.text(withEngines: ipvsadm.persistentConn)
            guard text.utf8.count > 1 << 16 else { return }
            write(text)
            text = ""
        }
        write(text)
    }

    private func write(_ text: String) { print(text, terminator: "") }
}

extension StatusDocument {
    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// In the YAML style of Kubernetes; parses the JSON, which is valid YAML.
    var yaml: String {
        get throws { try YAMLValue(yaml: json).yaml }
    }
}
