internal import Model

/// The parts of the kernel state that audits failed to read. The mirror stays valid for them.
struct AuditFailures: Sendable {
    /// A part that is read in one slice, or all real servers, which are read in several.
    enum Part: Hashable, Sendable {
        case device
        case set(AddressSet.Name)
        case headers
        case realServers
        case rules(IPFamily)

        /// The part of the status that it belongs to.
        fileprivate var ofStatus: ObservationFailure.Part {
            switch self {
            case .device: .device
            case .set(let name): .set(name)
            case .headers, .realServers: .virtualServers
            case .rules(let family): .rules(family)
            }
        }
    }

    private var failures: [Part: ObservationFailure] = [:]

    /// The number of parts that could not be read.
    var count: Int { failures.count }

    /// Records and returns a failure.
    mutating func record(_ part: Part, _ error: any Error) -> ObservationFailure {
        let failure = ObservationFailure(
            part: part.ofStatus, reason: "\(error)", attempts: (failures[part]?.attempts ?? 0) + 1, isOfAudit: true)
        failures[part] = failure
        return failure
    }

    /// Records that a part has been read completely.
    mutating func remove(_ part: Part) { failures[part] = nil }

    /// The failures, of virtual servers the one with more attempts.
    var byPart: [ObservationFailure.Part: ObservationFailure] {
        Dictionary(failures.map { ($0.ofStatus, $1) }) { $0.attempts < $1.attempts ? $1 : $0 }
    }
}

extension Audit.Slice {
    var part: AuditFailures.Part {
        switch self {
        case .device: .device
        case .set(let name): .set(name)
        case .headers: .headers
        case .realServers: .realServers
        case .rules(let family): .rules(family)
        }
    }
}
