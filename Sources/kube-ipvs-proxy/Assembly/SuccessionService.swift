internal import KernelDataplane
internal import Logging
internal import NodeProxy
internal import ServiceLifecycle
internal import StatusServer

/// Lets the proxy of a standby take over as soon as it may change the kernel.
struct SuccessionService: ServiceLifecycle.Service {
    let successor: Successor
    /// Whether the proxy started as a standby.
    let isStandby: Bool
    let setup: KernelSetup
    let proxy: NodeProxy
    let board: StatusBoard
    let probing: Probing
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                if isStandby {
                    try await successor.wait { board.wait(asStandbyFor: $0 ?? "another program") }
                    logger.info("Taking over")
                    try await setup.applySettings(probing, logger)
                    await proxy.takeOver()
                }
                try await successor.serve()
            } catch is CancellationError {
                return
            }
        }
    }
}
