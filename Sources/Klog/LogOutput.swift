internal import Glibc

/// Writes lines to a descriptor whose reader may hang.
///
/// A pipe whose reader hangs is full after 64 KiB, and `write(2)` then waits, and with it everything that logs. Here, a line waits a limited time for space; after
/// that, lines are dropped without waiting until there is space again. The next line then follows their number.
struct LogOutput {
    private let descriptor: Int32
    /// How long a line waits for space, in milliseconds.
    private let patience: Int32
    private var dropped = 0
    private var hasPartOfALine = false

    /// A pipe with space takes as many bytes at once (`PIPE_BUF`, and a page).
    private static let atOnce = 4096

    init(_ descriptor: Int32, patience: Int32) {
        self.descriptor = descriptor
        self.patience = patience
    }

    /// - Parameter notice: Returns the line that reports a number of dropped lines.
    mutating func write(_ line: String, notice: (_ dropped: Int) -> String) {
        guard hasSpace(within: dropped == 0 ? patience : 0) else {
            dropped += 1
            return
        }
        if dropped > 0 {
            let count = dropped
            dropped = 0
            send(notice(count))
        }
        send(line)
    }

    /// Counts the line as dropped if only a part could be written.
    private mutating func send(_ line: String) {
        var rest = Array("\(hasPartOfALine ? "\n" : "")\(line)\n".utf8)[...]
        hasPartOfALine = false
        while !rest.isEmpty {
            guard hasSpace(within: dropped == 0 ? patience : 0) else {
                dropped += 1
                hasPartOfALine = true
                return
            }
            let written = unsafe rest.prefix(LogOutput.atOnce).withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // A descriptor of others may not block.
            if written < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            // A failure to write to standard error cannot be reported.
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    /// Returns true for a closed pipe too: the write then fails.
    private func hasSpace(within milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&waiting, 1, milliseconds) != 0
    }
}
