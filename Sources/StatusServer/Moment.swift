internal import Glibc
public import Model
public import Text

/// A moment by two clocks: wall time for display, and a clock that is never set for measuring.
public struct Moment: Hashable, Sendable {
    public var wall: WallTime
    /// The time since boot.
    public var uptime: Timestamp

    public init(wall: WallTime, uptime: Timestamp) {
        self.wall = wall
        self.uptime = uptime
    }

    /// The current moment.
    public static var now: Moment {
        let (wall, uptime) = (time(CLOCK_REALTIME), time(CLOCK_BOOTTIME))
        return Moment(
            wall: WallTime(seconds: Int64(wall.tv_sec), nanoseconds: Int32(wall.tv_nsec)),
            uptime: Timestamp(nanoseconds: Int64(uptime.tv_sec) * 1_000_000_000 + Int64(uptime.tv_nsec)))
    }

    /// Reading these clocks cannot fail, as they always exist.
    private static func time(_ clock: clockid_t) -> timespec {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return time
    }
}

extension Duration {
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
