internal import Glibc
public import Model
public import Text

/// A moment on two clocks: one to tell people, one to measure by, which nobody sets.
public struct Moment: Hashable, Sendable {
    public var wall: WallTime
    /// Since the machine started.
    public var uptime: Timestamp

    public init(wall: WallTime, uptime: Timestamp) {
        self.wall = wall
        self.uptime = uptime
    }

    /// Now, by the machine's clocks.
    public static var now: Moment {
        let (wall, uptime) = (time(CLOCK_REALTIME), time(CLOCK_BOOTTIME))
        return Moment(
            wall: WallTime(seconds: Int64(wall.tv_sec), nanoseconds: Int32(wall.tv_nsec)),
            uptime: Timestamp(nanoseconds: Int64(uptime.tv_sec) * 1_000_000_000 + Int64(uptime.tv_nsec)))
    }

    /// These clocks are always there, so that reading them cannot fail.
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
