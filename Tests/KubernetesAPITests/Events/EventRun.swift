import Kubernetes
import Model

@testable import KubernetesAPI

/// A queue of Events with a simulated clock and a server with configurable answers.
struct EventRun {
    var queue: EventQueue
    private(set) var now: Duration = .zero
    /// Returns the failure of a request; nil for success.
    var answer: (EventDelivery) -> EventFailure? = { _ in nil }
    /// All requests so far and their times.
    private(set) var deliveries: [EventDelivery] = []
    private(set) var times: [Duration] = []
    private var generator = FixedGenerator()

    init(_ settings: EventSettings = EventSettings()) {
        queue = EventQueue(settings)
    }

    mutating func record(_ event: ClusterEvent) {
        _ = queue.record(event, at: now, using: &generator)
    }

    /// Returns the next request, which must be due.
    mutating func take() -> EventDelivery {
        guard case .send(let delivery) = queue.next(at: now) else { fatalError("nothing to send") }
        return delivery
    }

    /// Sends all due requests and returns them: `create Starting node1 2`.
    mutating func advance(by duration: Duration) -> [String] {
        let end = now + duration
        var sent: [String] = []
        while true {
            switch queue.next(at: now) {
            case .send(let delivery):
                deliveries.append(delivery)
                times.append(now)
                sent.append("\(delivery.method) \(delivery.key.reason) \(delivery.key.regarding.name) \(delivery.series.count)")
                if let failure = answer(delivery) {
                    queue.failed(delivery, failure, at: now, using: &generator)
                } else {
                    queue.delivered(delivery, at: now)
                }
            case .wait(let wait?) where now + wait <= end:
                // A wait of zero would be a busy loop.
                precondition(wait > .zero)
                now += wait
            case .wait:
                now = end
                return sent
            }
        }
    }
}

extension ClusterEvent {
    static func note(_ note: String) -> ClusterEvent {
        ClusterEvent(.normal, reason: "Starting", action: "StartKubeProxy", regarding: .node("node1"), note: note)
    }

    static func about(_ service: String, namespace: String = "default", reason: String = "Invalid") -> ClusterEvent {
        ClusterEvent(
            .warning, reason: reason, action: "Read", regarding: .service(NamespacedName(namespace: namespace, name: service)), note: "n")
    }
}
