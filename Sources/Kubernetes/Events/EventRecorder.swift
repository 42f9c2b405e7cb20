/// Where events go. Recording one never waits and never fails: whatever goes wrong with an event is of no consequence for who recorded it.
public protocol EventRecorder: Sendable {
    func record(_ event: ClusterEvent)
}
