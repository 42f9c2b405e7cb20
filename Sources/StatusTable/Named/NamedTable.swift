internal import StatusAPI

/// The status as a table: ipvsadm's terms, with the names of Services, pods and nodes.
public struct NamedTable {
    /// The numeric columns.
    public enum Columns: Hashable, Sendable {
        case connections
        /// In addition, persistence, thresholds and rates.
        case wide
        /// Changing numbers only: connections and rates.
        case watched
        /// `--stats`
        case statistics
        /// `--rate`
        case rates
        /// `--thresholds`
        case thresholds
        /// `--persistent-conn`
        case persistentConnections
    }

    /// The kind of a line, for coloured output.
    public enum LineStyle: Hashable, Sendable { case heading, virtualServer, realServer, draining, problem }

    public struct Line: Hashable, Sendable {
        public var style: LineStyle
        public var text: String
        /// The part of the text that does not change with connections, counters and time.
        public var stableText: String
        /// Whether the line shows a virtual server itself or what is behind it; nil for other lines.
        public var part: Part?
    }

    public enum Part: Hashable, Sendable { case head, body }

    private let document: StatusDocument
    private let columns: Columns

    public init(_ document: StatusDocument, columns: Columns) {
        self.document = document
        self.columns = columns
    }

    public var lines: [Line] {
        var rows: [Row] = [
            Row(.heading, heading), Row(.heading, ["  -> Server:Port"] + numbersHeading + ["Pod", "Node"]),
        ]
        for server in document.virtualServers {
            let cells = cells(server)
            rows.append(
                Row(
                    server.inKernel ? .virtualServer : .problem, cells, .head,
                    stableText: "\(server.name) \(cells.prefix(3)) \(server.settings)"))
            rows += server.realServers.map { real in
                let state = "\(real.place) \(real.weight) \(real.pod ?? "") \(real.draining != nil)"
                return Row(real.draining == nil ? .realServer : .draining, self.cells(real), .body, stableText: "\(server.name) \(state)")
            }
            if let why = server.whyEmpty {
                rows.append(Row(.problem, ["     no real servers: \(why)"], .body, stableText: "\(server.name) \(why)"))
            }
        }
        rows += document.notServed.map { Row(.problem, ["\($0.namespace)/\($0.service): not served: \($0.reason)"]) }
        rows += document.failing.map { failing in
            let service = failing.service.map { "\($0): " } ?? ""
            let retry = failing.secondsToRetry.map { ", retrying in \($0) s" } ?? ", retrying"
            let text = "\(service)failed: \(failing.what): \(failing.error)"
            return Row(.problem, ["\(text) (attempts: \(failing.attempts)\(retry))"], stableText: text)
        }
        return NamedTable.aligned(rows)
    }

    private struct Row {
        var style: LineStyle
        var cells: [String]
        var part: Part?
        var stableText: String

        init(_ style: LineStyle, _ cells: [String], _ part: Part? = nil, stableText: String? = nil) {
            self.style = style
            self.part = part
            self.cells = cells.map(\.printable)
            self.stableText = stableText ?? cells.joined(separator: " ")
        }
    }

    // MARK: Cells

    private var heading: [String] { ["Prot Address:Port", "Service", "Kind", "Scheduler Flags"] }

    private var numbersHeading: [String] {
        switch columns {
        case .connections: ["Forward", "Weight", "Active", "Inactive"]
        case .wide: ["Forward", "Weight", "Active", "Inactive", "Persistent", "Upper", "Lower", "Conn/s", "InB/s", "OutB/s"]
        case .watched: ["Weight", "Active", "Inactive", "Conn/s", "InB/s", "OutB/s"]
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
        case .watched:
            ["\(server.weight)"] + connections
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
        guard server.inKernel else { return [name] + owner + ["missing in kernel"] }
        let totals: [String] =
            switch columns {
            case .statistics: zip(numbersHeading, server.counters.totals).map { "\($0) \($1)" }
            case .rates: zip(numbersHeading, server.counters.rates).map { "\($0) \($1)" }
            default: []
            }
        return [name] + owner + [([server.settings] + totals).joined(separator: " ")]
    }

    private func cells(_ server: StatusDocument.RealServer) -> [String] {
        var cells = ["  -> \(server.place)"] + numbers(server) + [server.pod ?? "-", server.node ?? "-"]
        if let draining = server.draining {
            cells.append("draining for \(NamedTable.time(draining.seconds)), at most \(NamedTable.time(draining.secondsLeft)) more")
        }
        return cells
    }

    /// `42s`, `14m18s`, `2h05m`.
    static func time(_ seconds: Int64) -> String {
        func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if seconds < 60 { return "\(max(0, seconds))s" }
        if seconds < 3600 { return "\(seconds / 60)m\(twoDigits(seconds % 60))s" }
        return "\(seconds / 3600)h\(twoDigits(seconds / 60 % 60))m"
    }

    // MARK: Columns

    /// The maximum width of a column, so that one long name does not widen every line.
    private static let widest = 64

    /// Aligns the columns of virtual servers and those of real servers; both share the width of the first column.
    private static func aligned(_ rows: [Row]) -> [Line] {
        var widths: [Bool: [Int]] = [:]
        func isOfRealServers(_ cells: [String]) -> Bool { cells.first?.hasPrefix("  ->") ?? false }
        for row in rows where row.cells.count > 1 {
            var known = widths[isOfRealServers(row.cells)] ?? []
            for (index, cell) in row.cells.enumerated() {
                if index == known.count { known.append(0) }
                known[index] = max(known[index], min(cell.utf8.count, widest))
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
            return Line(style: row.style, text: text, stableText: row.stableText, part: row.part)
        }
    }
}

extension StatusDocument.Counters {
    var totals: [String] { [connections, inPackets, outPackets, inBytes, outBytes].map { "\($0)" } }
    var rates: [String] {
        [connectionsPerSecond, inPacketsPerSecond, outPacketsPerSecond, inBytesPerSecond, outBytesPerSecond].map { "\($0)" }
    }
}

extension StatusDocument.Server {
    /// `mh (mh-fallback) persistent 300 ops`
    fileprivate var settings: String {
        var words = [scheduler ?? ""]
        if !schedulerFlags.isEmpty { words.append("(\(schedulerFlags.joined(separator: ",")))") }
        if let seconds = persistenceSeconds { words.append("persistent \(seconds)") }
        if onePacket { words.append("ops") }
        return words.joined(separator: " ")
    }
}

/// The changes of a table since the previous one: added lines in place, and removed lines below.
public struct TableChanges {
    public enum Mark: String, Hashable, Sendable {
        case same = " "
        case new = "+"
        case removed = "-"
    }

    public struct Line: Hashable, Sendable {
        public var mark: Mark
        public var line: NamedTable.Line
    }

    public let lines: [Line]

    /// - Parameter before: Empty for the first table, in which no line is marked as new.
    public init(_ now: [NamedTable.Line], since before: [NamedTable.Line]) {
        let (known, kept) = (Set(before.map(\.stableText)), Set(now.map(\.stableText)))
        var lines = now.map { Line(mark: before.isEmpty || known.contains($0.stableText) ? .same : .new, line: $0) }
        // The virtual server of the lines that follow, until it is listed.
        var head: NamedTable.Line?
        for line in before where line.style != .heading {
            if line.part == .head { head = line }
            guard !kept.contains(line.stableText) else { continue }
            if line.part == .body, let named = head, kept.contains(named.stableText) { lines.append(Line(mark: .same, line: named)) }
            head = nil
            lines.append(Line(mark: .removed, line: line))
        }
        self.lines = lines
    }
}
