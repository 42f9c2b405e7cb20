/// The status for people: ipvsadm's words, with the names of the cluster beside them.
public struct NamedTable {
    /// What is told in numbers.
    public enum Columns: Hashable, Sendable {
        case connections
        /// Those, persistence, thresholds and rates.
        case wide
        /// `--stats`
        case statistics
        /// `--rate`
        case rates
        /// `--thresholds`
        case thresholds
        /// `--persistent-conn`
        case persistentConnections
    }

    /// What a line is about, for whoever prints in colour.
    public enum Mood: Hashable, Sendable { case heading, virtualServer, realServer, draining, trouble }

    public struct Line: Hashable, Sendable {
        public var mood: Mood
        public var text: String
    }

    private let document: StatusDocument
    private let columns: Columns

    public init(_ document: StatusDocument, columns: Columns) {
        self.document = document
        self.columns = columns
    }

    public var lines: [Line] {
        var rows: [(mood: Mood, cells: [String])] = [
            (.heading, heading), (.heading, ["  -> Server:Port"] + numbersHeading + ["Pod", "Node"]),
        ]
        for server in document.virtualServers {
            rows.append((server.inKernel ? .virtualServer : .trouble, cells(server)))
            rows += server.realServers.map { ($0.draining == nil ? .realServer : .draining, cells($0)) }
            if let trouble = trouble(server) { rows.append((.trouble, ["     \(trouble)"])) }
        }
        var lines = NamedTable.aligned(rows)
        lines += document.notServed.map { Line(mood: .trouble, text: "\($0.namespace)/\($0.service) is not served in part: \($0.reason)") }
        return lines
    }

    // MARK: Cells

    private var heading: [String] { ["Prot Address:Port", "Service", "Kind", "Scheduler Flags"] }

    private var numbersHeading: [String] {
        switch columns {
        case .connections: ["Forward", "Weight", "Active", "Inactive"]
        case .wide: ["Forward", "Weight", "Active", "Inactive", "Persistent", "Upper", "Lower", "Conn/s", "InB/s", "OutB/s"]
        case .statistics: ["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"]
        case .rates: ["Conn/s", "InPkt/s", "OutPkt/s", "InB/s", "OutB/s"]
        case .thresholds: ["Upper", "Lower", "Active", "Inactive"]
        case .persistentConnections: ["Weight", "Persistent", "Active", "Inactive"]
        }
    }

    private func numbers(_ server: StatusDocument.RealServer) -> [String] {
        let counters = server.counters
        let connections = ["\(server.activeConnections)", "\(server.inactiveConnections)"]
        return switch columns {
        case .connections: [server.forwarding, "\(server.weight)"] + connections
        case .wide:
            [server.forwarding, "\(server.weight)"] + connections
                + ["\(server.persistentConnections)", "\(server.upperThreshold)", "\(server.lowerThreshold)"]
                + ["\(counters.connectionsPerSecond)", "\(counters.inBytesPerSecond)", "\(counters.outBytesPerSecond)"]
        case .statistics: counters.totals
        case .rates: counters.rates
        case .thresholds: ["\(server.upperThreshold)", "\(server.lowerThreshold)"] + connections
        case .persistentConnections: ["\(server.weight)", "\(server.persistentConnections)"] + connections
        }
    }

    private func cells(_ server: StatusDocument.Server) -> [String] {
        let name = "\((server.protocol ?? "FWM").padded(4)) \(server.place)"
        let owner = [server.service?.text ?? "-", server.service?.addressKind ?? "-"]
        guard server.inKernel else { return [name] + owner + ["is missing in the kernel"] }
        var flags = [server.scheduler ?? ""]
        if !server.schedulerFlags.isEmpty { flags.append("(\(server.schedulerFlags.joined(separator: ",")))") }
        if let seconds = server.persistenceSeconds { flags.append("persistent \(seconds)") }
        if server.onePacket { flags.append("ops") }
        let totals: [String] =
            switch columns {
            case .statistics: zip(numbersHeading, server.counters.totals).map { "\($0) \($1)" }
            case .rates: zip(numbersHeading, server.counters.rates).map { "\($0) \($1)" }
            default: []
            }
        return [name] + owner + [(flags + totals).joined(separator: " ")]
    }

    private func cells(_ server: StatusDocument.RealServer) -> [String] {
        var cells = ["  -> \(server.place)"] + numbers(server) + [server.pod ?? "-", server.node ?? "-"]
        if let draining = server.draining {
            cells.append("draining for \(NamedTable.time(draining.seconds)), at most \(NamedTable.time(draining.secondsLeft)) more")
        }
        return cells
    }

    private func trouble(_ server: StatusDocument.Server) -> String? {
        if let why = server.whyEmpty { return "no servers: \(why)" }
        return nil
    }

    /// `42s`, `14m18s`, `2h05m`.
    static func time(_ seconds: Int64) -> String {
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if seconds < 60 { return "\(max(0, seconds))s" }
        if seconds < 3600 { return "\(seconds / 60)m\(two(seconds % 60))s" }
        return "\(seconds / 3600)h\(two(seconds / 60 % 60))m"
    }

    // MARK: Columns

    /// Virtual servers and real servers have columns of their own; the first is common to both.
    private static func aligned(_ rows: [(mood: Mood, cells: [String])]) -> [Line] {
        var widths: [Bool: [Int]] = [:]
        func isOfRealServers(_ cells: [String]) -> Bool { cells.first?.hasPrefix("  ->") ?? false }
        for row in rows where row.cells.count > 1 {
            var known = widths[isOfRealServers(row.cells)] ?? []
            for (index, cell) in row.cells.enumerated() {
                if index == known.count { known.append(0) }
                known[index] = max(known[index], cell.utf8.count)
            }
            widths[isOfRealServers(row.cells)] = known
        }
        let first = widths.values.compactMap(\.first).max() ?? 0
        return rows.map { row in
            let known = widths[isOfRealServers(row.cells)] ?? []
            var text = ""
            for (index, cell) in row.cells.enumerated() {
                let width = index == 0 ? first : index < known.count ? known[index] : 0
                text += index == row.cells.count - 1 ? cell : cell.padded(width) + "  "
            }
            return Line(mood: row.mood, text: text)
        }
    }
}

extension StatusDocument.Counters {
    var totals: [String] { [connections, inPackets, outPackets, inBytes, outBytes].map { "\($0)" } }
    var rates: [String] {
        [connectionsPerSecond, inPacketsPerSecond, outPacketsPerSecond, inBytesPerSecond, outBytesPerSecond].map { "\($0)" }
    }
}
