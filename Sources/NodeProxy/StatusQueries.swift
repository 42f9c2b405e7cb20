public import Kubernetes
internal import Model
internal import Reconciler
public import StatusAPI
internal import SyncLoop

/// What the status command asks of a running proxy. The answers are made from a copy of the loop, and the loop does not wait for them.
public struct StatusQueries: Sendable {
    private let proxy: NodeProxy

    public init(_ proxy: NodeProxy) { self.proxy = proxy }

    /// - Parameter selector: which Services it is about; nil for all.
    @concurrent public func report(_ selector: LabelSelector? = nil) async -> ProxyReport {
        await proxy.snapshot.report(selector, at: proxy.now)
    }

    /// What of the kernel is not as it should be, found by two observations of all of it a second apart; nothing is changed.
    ///
    /// A sync that is under way makes a difference in one of them; what is a difference in both is one that stays.
    @concurrent public func differences() async throws -> ProxyDifferences {
        let first = try await look()
        var differences: [ProxyDifferences.Step] = []
        if !first.isEmpty {
            try await Task.sleep(for: .seconds(1))
            let known = Set(first)
            let second = try await look().filter(known.contains)
            for operation in second {
                let origin = await proxy.origin(of: operation)
                differences.append(.init(operation: operation.kind.rawValue, command: operation.command, service: origin?.description))
            }
        }
        return ProxyDifferences(differences: differences)
    }

    private func look() async throws -> [Operation] {
        let families = await proxy.snapshot.families
        let observed = try await proxy.kernel.reader.observeAll(with: proxy.kernel.rules, families)
        return await proxy.snapshot.differences(from: observed, at: proxy.now)
    }
}
