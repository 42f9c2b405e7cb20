internal import FoundationEssentials
internal import Kubernetes

/// An Event in the JSON form of the API (`events.k8s.io/v1`).
struct EventJSON: Encodable {
    struct Metadata: Encodable {
        var name: String
        var namespace: String
    }

    struct Regarding: Encodable {
        var apiVersion: String
        var kind: String
        var namespace: String?
        var name: String
        var uid: String?

        init(_ object: ObjectReference, uid: String?) {
            apiVersion = object.apiVersion
            kind = object.kind
            namespace = object.namespace.isEmpty ? nil : object.namespace
            name = object.name
            // kubectl describe finds a Node's events by its name in the uid field, as the kubelet writes them.
            self.uid = object.kind == "Node" ? object.name : uid
        }
    }

    struct Series: Encodable {
        var count: Int
        var lastObservedTime: String
    }

    /// A patch of the series.
    struct SeriesPatch: Encodable {
        var series: Series
    }

    var apiVersion = "events.k8s.io/v1"
    var kind = "Event"
    var metadata: Metadata
    var eventTime: String
    var type: String
    var reason: String
    var action: String
    var regarding: Regarding
    var note: String
    var reportingController = "kube-proxy"
    var reportingInstance: String
    var series: Series?

    static func bytes(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}

/// A time with microseconds (`meta/v1` MicroTime).
struct MicroTime: Hashable {
    var microsecondsSince1970: Int64

    /// Returns the time this long before.
    func before(_ duration: Duration) -> MicroTime {
        let (seconds, attoseconds) = duration.components
        return MicroTime(microsecondsSince1970: microsecondsSince1970 - seconds * 1_000_000 - attoseconds / 1_000_000_000_000)
    }

    /// RFC 3339 with six fractional digits, which the API requires: `2026-01-01T00:00:00.000000Z`.
    var text: String {
        let seconds = microsecondsSince1970 >= 0 ? microsecondsSince1970 / 1_000_000 : (microsecondsSince1970 - 999_999) / 1_000_000
        let fraction = String(microsecondsSince1970 - seconds * 1_000_000)
        let zeros = String(repeating: "0", count: 6 - fraction.utf8.count)
        // A clock past the year 9999 is wrong; use the latest valid time.
        let truncated = APITime.text(secondsSince1970: seconds) ?? "9999-12-31T23:59:59Z"
        return "\(truncated.dropLast()).\(zeros)\(fraction)Z"
    }
}
