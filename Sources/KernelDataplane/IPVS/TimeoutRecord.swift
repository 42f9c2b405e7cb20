internal import Glibc
internal import Model
internal import SystemPackage

/// The IPVS timeouts before this program changed them, saved for `cleanup` in the format of `ipvsadm --set`.
struct TimeoutRecord {
    let directory: String

    private var path: FilePath { FilePath(directory).appending("ipvs-timeouts-before") }

    /// The saved timeouts; nil if there are none.
    func timeouts() throws(DataplaneError) -> IPVSTimeouts? {
        do {
            return IPVSTimeouts(seconds: try TextFile.read(path) ?? "")
        } catch {
            throw DataplaneError("\(path)", error, what: "failed to read")
        }
    }

    /// Saves the timeouts, unless an earlier run saved some: those are the original ones.
    func save(_ timeouts: IPVSTimeouts) throws(DataplaneError) {
        guard try self.timeouts() == nil else { return }
        guard unsafe mkdir(directory, 0o755) == 0 || errno == EEXIST else {
            throw DataplaneError("mkdir \(directory)", Errno(rawValue: errno), advice: "choose another directory with --state-directory")
        }
        try write(timeouts.seconds + "\n", [.create, .truncate])
    }

    /// Restores the saved timeouts and clears the record.
    ///
    /// - Returns: the kernel's error, if any.
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
    /// In the format of `ipvsadm --set`: `900 120 300`.
    var seconds: String { [tcp, tcpFin, udp].map { "\($0.components.seconds)" }.joined(separator: " ") }

    /// Nil if the text does not have three numbers.
    init?(seconds text: String) {
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { UInt32($0) }
        guard numbers.count == 3 else { return nil }
        self.init(tcp: .seconds(numbers[0]), tcpFin: .seconds(numbers[1]), udp: .seconds(numbers[2]))
    }

    /// Whether the kernel's timeouts have to be changed; a timeout of 0 is kept as it is.
    func differs(from current: IPVSTimeouts) -> Bool {
        zip([tcp, tcpFin, udp], [current.tcp, current.tcpFin, current.udp]).contains { wanted, current in
            wanted.components.seconds != 0 && wanted.components.seconds != current.components.seconds
        }
    }
}

/// Detects external changes of the IPVS timeouts while the program runs.
///
/// They are not repaired: other timeouts break no Service, and `ipvsadm --set` is run on purpose.
struct TimeoutAudit {
    let wanted: IPVSTimeouts
    private var reported: IPVSTimeouts?

    init(wanted: IPVSTimeouts) { self.wanted = wanted }

    /// The current timeouts if they differ from the wanted ones; once for each value.
    mutating func check(_ current: IPVSTimeouts) -> IPVSTimeouts? {
        let found = wanted.differs(from: current) ? current : nil
        defer { reported = found }
        return found == reported ? nil : found
    }
}
