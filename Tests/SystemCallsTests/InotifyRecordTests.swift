import Glibc
import Testing

@testable import SystemCalls

@Suite struct `Inotify records` {
    @Test func `report an overflow of the event queue without a name`() {
        var bytes = [UInt8](repeating: 0, count: 16)
        withUnsafeBytes(of: Int32(-1)) { unsafe bytes.replaceSubrange(0..<4, with: $0) }
        withUnsafeBytes(of: IN_Q_OVERFLOW) { unsafe bytes.replaceSubrange(4..<8, with: $0) }
        #expect(InotifyRecord.records(in: bytes[...]) == [InotifyRecord(watch: -1, mask: IN_Q_OVERFLOW, name: "")])
    }
}
