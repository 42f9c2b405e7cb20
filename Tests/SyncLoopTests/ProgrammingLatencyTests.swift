import FoundationEssentials
import Kubernetes
import Model
import Testing

@testable import SyncLoop

private let name = NamespacedName(namespace: "default", name: "web-1")
private let web = NamespacedName(namespace: "default", name: "web")
private let start = Date(timeIntervalSince1970: 1_767_225_600)  // 2026-01-01T00:00:00Z

private func slice(_ time: String?) -> EndpointSlice {
    EndpointSlice(
        metadata: ObjectMeta(
            name: "web-1", namespace: "default", labels: [EndpointSlice.serviceNameLabel: "web"],
            annotations: time.map { [Annotation.lastChangeTriggerTime.rawValue: $0] } ?? [:]), addressType: .ipv4)
}

@Suite struct `The programming latency` {
    private var latency = ProgrammingLatency(since: start)

    private mutating func settle(at time: Date, except pending: Set<NamespacedName>) -> [Duration] {
        latency.beginProgramming()
        return latency.settle(at: time, except: pending)
    }

    @Test mutating func `of a change during a running sync is settled by the next sync`() {
        latency.record(name, from: nil, to: slice("2026-01-01T00:00:01Z"))
        latency.beginProgramming()
        latency.record(name, from: slice("2026-01-01T00:00:01Z"), to: slice("2026-01-01T00:00:02Z"))
        #expect(latency.settle(at: start + 3, except: []) == [.seconds(2)])
        #expect(latency.settle(at: start + 3, except: []) == [])
        latency.beginProgramming()
        #expect(latency.settle(at: start + 4, except: []) == [.seconds(2)])
    }

    @Test mutating func `is measured once, from the timestamp on the slice to the end of the sync`() {
        latency.record(name, from: nil, to: slice("2026-01-01T00:00:01.25Z"))
        latency.record(name, from: slice("2026-01-01T00:00:01.25Z"), to: slice("2026-01-01T00:00:02Z"))
        let settled = settle(at: start + 3, except: []).sorted()
        #expect(settled.map { $0.wholeMilliseconds } == [1000, 1750])
        #expect(settle(at: start + 4, except: []).isEmpty)
    }

    @Test mutating func `excludes changes before the start, unchanged slices and deleted slices`() {
        latency.record(name, from: nil, to: slice("2025-12-31T23:59:59Z"))
        latency.record(name, from: slice("2026-01-01T00:00:01Z"), to: slice("2026-01-01T00:00:01Z"))
        latency.record(name, from: nil, to: slice(nil))
        latency.record(name, from: nil, to: slice("2026-01-01T00:00:01Z"))
        latency.record(name, from: slice("2026-01-01T00:00:01Z"), to: nil)
        #expect(settle(at: start + 9, except: []).isEmpty)
    }

    @Test mutating func `is not settled while its Service has pending operations`() {
        latency.record(name, from: nil, to: slice("2026-01-01T00:00:01Z"))
        #expect(settle(at: start + 2, except: [web]).isEmpty)
        #expect(settle(at: start + 5, except: []) == [.seconds(4)])
    }

    @Test(arguments: ["", "yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "9999999999999999999999-01-01T00:00:00Z"])
    mutating func `ignores invalid timestamps`(text: String) {
        latency.record(name, from: nil, to: slice(text))
        #expect(settle(at: start + 9, except: []).isEmpty)
    }

    @Test mutating func `is never negative, even if another node's clock is ahead`() {
        latency.record(name, from: nil, to: slice("2026-01-01T00:01:00.5Z"))
        #expect(settle(at: start, except: []) == [.zero])
    }

    @Test mutating func `is kept for a limited number of changes`() {
        for second in 1..<1000 {
            let time = "2026-01-01T00:\(10 + second / 60):\(10 + second % 50).5Z"
            latency.record(name, from: nil, to: slice(time))
        }
        #expect(settle(at: start + 9999, except: []).count == 64)
    }
}
