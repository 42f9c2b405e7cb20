import Kubernetes
import Model

@testable import KubernetesAPI

/// A queue of events with a clock that a test turns, and a server that answers as the test likes.
struct EventRun {
    var queue: EventQueue
    private(set) var now: Duration = .zero
    /// What came of a request; nil for success.
    var answer: (EventDelivery) -> EventFailure? = { _ in nil }
    /// All requests so far, and when they were sent.
    private(set) var deliveries: [EventDelivery] = []
    private(set) var times: [Duration] = []
    private var generator = FixedGenerator()

    init(_ settings: EventSettings = EventSettings()) {
        queue = EventQueue(settings)
    }

    mutating func record(_ event: ClusterEvent) {
        _ = queue.record(event, at: now, using: &generator)
    }

    /// The next request, which has to be due.
    mutating func take() -> EventDelivery {
        guard case .send(let delivery) = queue.next(at: now) else { fatalError("nothing to send") }
        return delivery
    }

    /// Sends whatever comes due; returns the requests: `create Starting node1 2`.
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
                // A wait of nothing would be a busy loop.
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
