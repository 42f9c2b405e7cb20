/// Keeps no events, for sources without an API server.
public struct NoEvents: EventRecorder {
    public init() {}

    public func record(_ event: ClusterEvent) {}
}
