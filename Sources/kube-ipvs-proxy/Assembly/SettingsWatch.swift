internal import KernelDataplane
internal import Logging
internal import ServiceLifecycle

/// Keeps the settings of the kernel that Services need, run with the rest of the program.
struct SettingsWatch: ServiceLifecycle.Service {
    let setup: KernelSetup
    let interval: Duration
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                try await setup.keepSettings(every: interval, logger)
            } catch is CancellationError {
                return
            }
        }
    }
}
