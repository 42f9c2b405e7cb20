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
