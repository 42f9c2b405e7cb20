import Model
import Testing

@testable import SyncLoop

@Suite struct `The minimum sync period` {
    private func at(_ seconds: Int) -> Timestamp { .seconds(Double(seconds)) }

    @Test func `does not delay the first sync`() {
        var period = MinSyncPeriod(.seconds(10))
        #expect(period.due == nil)
        period.requestSync(at: at(3))
        #expect(period.due == at(3))
    }

    @Test func `separates the end of a sync of changes from the next sync, whenever the change arrives`() {
        var period = MinSyncPeriod(.seconds(10))
        period.requestSync(at: at(0))
        period.syncBegan()
        period.requestSync(at: at(1))
        period.syncEnded(at: at(2))
        #expect(period.due == at(12))
        period.requestSync(at: at(5))
        #expect(period.due == at(12), "later changes do not postpone the sync")
        period.syncBegan()
        #expect(period.due == nil)
        period.syncEnded(at: at(13))
        period.requestSync(at: at(60))
        #expect(period.due == at(60))
    }

    @Test func `of 0 delays nothing`() {
        var period = MinSyncPeriod(.zero)
        period.syncEnded(at: at(2))
        period.requestSync(at: at(2))
        #expect(period.due == at(2))
    }
}
