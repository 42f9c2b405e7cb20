internal import KernelDataplane
internal import Model
internal import StatusTable

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
