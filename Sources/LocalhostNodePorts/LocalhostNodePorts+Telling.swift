internal import Kubernetes
internal import Logging
internal import Model

/// What operators are told.
extension LocalhostNodePorts {
    func tell(_ port: UInt16, _ failure: Failure) {
        logger.error(
            "A node port does not answer on 127.0.0.1; it is tried again",
            metadata: ["service": "\(failure.origin)", "port": "\(port)", "error": "\(failure.reason)"])
        events.record(
            ClusterEvent(
                .warning, reason: "LocalhostNodePortFailed", action: "ListenOnLocalhost", regarding: .service(failure.origin.service),
                note: "Node port \(port) does not answer on 127.0.0.1: \(failure.reason)"))
    }

    func tellOfListener(_ port: UInt16, _ target: NodePortTarget, after failure: Failure?) {
        let metadata: Logger.Metadata = ["service": "\(target.origin)", "port": "\(port)", "target": "\(target.location)"]
        logger.log(
            level: failure == nil ? .debug : .notice,
            failure == nil ? "A node port answers on 127.0.0.1" : "A node port answers on 127.0.0.1 after all", metadata: metadata)
    }
}
