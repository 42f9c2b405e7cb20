internal import Logging
internal import Reconciler

extension NodeProxy {
    /// Wakes the loop when addresses of the node come and go, until the task is cancelled.
    ///
    /// Where listening fails it is told and begun again; the addresses are read then, whatever was missed.
    func followAddresses(_ wake: AsyncStream<Void>.Continuation) async {
        var pause = NodeProxy.firstPause
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                for try await _ in synchronizer.dataplane.nodeAddressChanges() {
                    await synchronizer.noteAddressChange()
                    wake.yield()
                }
                // Only the end of the task ends it without an error.
                return
            } catch {
                // Audits look at the addresses meanwhile.
                logger.error("Changes of this node's addresses are not noticed for a while", metadata: ["error": "\(error)"])
            }
            if start.duration(to: .now) > NodeProxy.longestPause { pause = NodeProxy.firstPause }
            // Cancelled means that the proxy ends.
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, NodeProxy.longestPause)
        }
    }

    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(30)
}
