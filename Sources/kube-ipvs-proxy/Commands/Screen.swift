internal import Glibc
internal import StatusTable

/// Standard output, with colors if it is a terminal.
struct Screen {
    private let isTerminal: Bool

    init() {
        // https://no-color.org
        let isColorless = unsafe getenv("NO_COLOR") != nil
        isTerminal = isatty(STDOUT_FILENO) == 1 && !isColorless
    }

    func write(_ lines: [NamedTable.Line]) {
        print(lines.map(text).joined(separator: "\n"))
    }

    /// Replaces the previous table; marks added lines with `+`, and shows removed ones below with `-`.
    func redraw(_ lines: [NamedTable.Line], before: [NamedTable.Line]) {
        let picture = TableChanges(lines, since: before).lines.map { change in
            change.mark == .same ? "  \(text(change.line))" : bold("\(change.mark.rawValue) \(change.line.text)")
        }
        print((isTerminal ? "\u{1b}[H\u{1b}[2J" : "") + picture.joined(separator: "\n") + (isTerminal ? "" : "\n"))
        fflush(nil)
    }

    private func bold(_ text: String) -> String { isTerminal ? "\u{1b}[1m\(text)\u{1b}[22m" : text }

    private func text(_ line: NamedTable.Line) -> String {
        guard isTerminal else { return line.text }
        return switch line.style {
        case .heading: "\u{1b}[2m\(line.text)\u{1b}[22m"
        case .virtualServer: "\u{1b}[36m\(line.text)\u{1b}[39m"
        case .realServer: line.text
        case .draining: "\u{1b}[33m\(line.text)\u{1b}[39m"
        case .problem: "\u{1b}[31m\(line.text)\u{1b}[39m"
        }
    }
}
