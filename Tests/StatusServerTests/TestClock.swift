import Model
@testable import StatusServer
import Synchronization
import Text

/// A clock that tests advance.
final class TestClock: Sendable {
    private let seconds = Mutex<Int64>(0)

    var now: Moment {
        let seconds = seconds.withLock(\.self)
        return Moment(wall: WallTime(seconds: 1_000_000 + seconds), uptime: .seconds(Double(seconds)))
    }

    func advance(_ by: Int64) { seconds.withLock { $0 += by } }
}
