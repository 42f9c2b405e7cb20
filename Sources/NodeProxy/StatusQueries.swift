public import Kubernetes
internal import Model
internal import Reconciler
public import StatusAPI
internal import SyncLoop

/// The queries of the `status` command to a running proxy. They use a copy of the loop and do not block it.
public struct StatusQueries: Sendable {
    private let proxy: NodeProxy

    public init(_ proxy: NodeProxy) { self.proxy = proxy }

    /// Returns the report of the selected Services.
    ///
    /// - Parameter selector: selects the Services to report; nil for all.
    @concurrent public func report(_ selector: LabelSelector? = nil) async -> ProxyReport {
        await proxy.snapshot.report(selector, at: proxy.now)
    }

    /// Returns the differences between the kernel and the desired state, without changing anything.
    ///
    /// The complete kernel state is observed twice, one second apart, and only differences found by both observations are returned: a sync
    /// in progress can cause differences in one of them.
    @concurrent public func differences() async throws -> ProxyDifferences {
        let first = try await observedDifferences()
        var differences: [ProxyDifferences.Step] = []
        if !first.isEmpty {
            try await Task.sleep(for: .seconds(1))
            let known = Set(first)
            let second = try await observedDifferences().filter(known.contains)
            for operation in second {
                let origin = await proxy.origin(of: operation)
                differences.append(.init(operation: operation.kind.rawValue, command: operation.command, service: origin?.description))
            }
        }
        return ProxyDifferences(differences: differences)
    }

    /// Observes the kernel and returns the operations that would change it to the desired state.
    private func observedDifferences() async throws -> [Operation] {
        let families = await proxy.snapshot.families
        let observed = try await proxy.observeAll(by: proxy.kernel.reader, families)
        return await proxy.snapshot.differences(from: observed, at: proxy.now)
    }
}
