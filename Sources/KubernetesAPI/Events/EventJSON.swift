internal import FoundationEssentials
internal import Kubernetes

/// An Event as the API takes it (`events.k8s.io/v1`).
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
            // kubectl describe looks for a Node's events by its name in this place, as the kubelet writes them.
            self.uid = object.kind == "Node" ? object.name : uid
        }
    }

    struct Series: Encodable {
        var count: Int
        var lastObservedTime: String
    }

    /// What a patch of the count consists of.
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

/// A time of the API with microseconds (`meta/v1` MicroTime).
struct MicroTime: Hashable {
    var microsecondsSince1970: Int64

    /// What the clock on the wall said this long before.
    func before(_ duration: Duration) -> MicroTime {
        let (seconds, attoseconds) = duration.components
        return MicroTime(microsecondsSince1970: microsecondsSince1970 - seconds * 1_000_000 - attoseconds / 1_000_000_000_000)
    }

    /// RFC 3339 with six digits after the second, without which the API does not take it: `2026-01-01T00:00:00.000000Z`.
    var text: String {
        let seconds = microsecondsSince1970 >= 0 ? microsecondsSince1970 / 1_000_000 : (microsecondsSince1970 - 999_999) / 1_000_000
        let fraction = String(microsecondsSince1970 - seconds * 1_000_000)
        let zeros = String(repeating: "0", count: 6 - fraction.utf8.count)
        // A clock beyond the year 9999 is broken, and nothing an event could tell.
        let whole = APITime.text(secondsSince1970: seconds) ?? "9999-12-31T23:59:59Z"
        return "\(whole.dropLast()).\(zeros)\(fraction)Z"
    }
}
