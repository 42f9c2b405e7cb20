internal import Glibc
internal import Model
internal import SystemPackage

/// What the timeouts of IPVS were before this program changed them, kept where `cleanup` finds it, as `ipvsadm --set` takes them.
struct TimeoutRecord {
    let directory: String

    private var path: FilePath { FilePath(directory).appending("ipvs-timeouts-before") }

    /// Nil where none are noted.
    func timeouts() throws(DataplaneError) -> IPVSTimeouts? {
        do {
            return IPVSTimeouts(seconds: try TextFile.read(path) ?? "")
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to read")
        }
    }

    /// Notes them, unless some are noted already: what a run before this one found is what was there first.
    func note(_ timeouts: IPVSTimeouts) throws(DataplaneError) {
        guard try self.timeouts() == nil else { return }
        guard unsafe mkdir(directory, 0o755) == 0 || errno == EEXIST else {
            throw DataplaneError("mkdir \(directory)", Errno(rawValue: errno), advice: "choose another directory with --state-directory")
        }
        try write(timeouts.seconds + "\n", [.create, .truncate])
    }

    /// Puts them back and forgets them.
    ///
    /// - Returns: what the kernel says against it.
    func restore() throws(DataplaneError) -> [DataplaneError] {
        guard let timeouts = try timeouts() else { return [] }
        if let failure = try IPVSClient().setTimeouts(timeouts) { return [failure] }
        try write("", [.truncate])
        return []
    }

    private func write(_ text: String, _ options: FileDescriptor.OpenOptions) throws(DataplaneError) {
        do {
            try TextFile.write(text, to: path, options: options)
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to write")
        }
    }
}

extension IPVSTimeouts {
    /// As `ipvsadm --set` takes them: `900 120 300`.
    var seconds: String { [tcp, tcpFin, udp].map { "\($0.components.seconds)" }.joined(separator: " ") }

    /// Nil where the text does not say all three.
    init?(seconds text: String) {
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { UInt32($0) }
        guard numbers.count == 3 else { return nil }
        self.init(tcp: .seconds(numbers[0]), tcpFin: .seconds(numbers[1]), udp: .seconds(numbers[2]))
    }

    /// Whether a kernel with these has to be told.
    func isWanting(of current: IPVSTimeouts) -> Bool {
        zip([tcp, tcpFin, udp], [current.tcp, current.tcpFin, current.udp]).contains { wanted, current in
            wanted.components.seconds != 0 && wanted.components.seconds != current.components.seconds
        }
    }
}

/// Notices that others change the timeouts of IPVS while the program runs.
///
/// They are not put back: connections that live longer or shorter than wanted break no Service, and who calls `ipvsadm --set` means it.
struct TimeoutAudit {
    let wanted: IPVSTimeouts
    private var reported: IPVSTimeouts?

    init(wanted: IPVSTimeouts) { self.wanted = wanted }

    /// What to tell of, once for each value: those that are in force and not wanted.
    mutating func look(at current: IPVSTimeouts) -> IPVSTimeouts? {
        let found = wanted.isWanting(of: current) ? current : nil
        defer { reported = found }
        return found == reported ? nil : found
    }
}
