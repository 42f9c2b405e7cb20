internal import Kubernetes

/// What makes two events the same but for their number: all but the note, which may differ.
struct EventKey: Hashable {
    var type: ClusterEvent.EventType
    var reason: String
    var action: String
    var regarding: ObjectReference

    init(_ event: ClusterEvent) {
        type = event.type
        reason = event.reason
        action = event.action
        regarding = event.regarding
    }
}
