internal import Netlink

/// The reason why a transaction was rejected; nothing of it was carried out, unless the reply was lost (`.overrun`, `.timedOut`).
///
/// The kernel processes all commands, reports each one at fault, and then aborts (`nfnetlink_rcv_batch`, net/netfilter/nfnetlink.c).
struct NFTTransactionError: Error, Hashable, Sendable {
    struct Failure: Hashable, Sendable {
        /// The place of the command in the transaction.
        var commandIndex: Int
        /// The place of the element in the command; nil if the command has none, or the element is unknown.
        var elementIndex: Int?
        /// The expression at fault of a rule; nil if the kernel does not say. An unknown one fails with ENOENT, as does a lookup in an unknown set.
        var expression: NFTExpression?
        /// The command in words.
        var command: String
        var error: NetlinkError
    }

    /// The commands at fault, in order; empty if the transaction as such failed.
    var failures: [Failure]
    /// The reason if no command is at fault.
    var error: NetlinkError?
    /// False if further commands or elements may be at fault: the kernel's reports exceeded the receive buffer, or a transaction with each
    /// element in a message of its own would exceed the send buffer.
    var namesAllFailures = true

    init(_ failures: [Failure], namesAllFailures: Bool) {
        self.failures = failures
        self.namesAllFailures = namesAllFailures
    }

    init(_ error: NetlinkError) {
        failures = []
        self.error = error
    }

    /// Whether the same transaction may succeed later: no failure says anything about its commands.
    var isTemporary: Bool { error?.isTemporary ?? failures.allSatisfy(\.error.isTemporary) }
}

extension NFTTransactionError: CustomStringConvertible {
    /// The maximum number of failures in a description.
    private static let shown = 3

    var description: String {
        if let error { return error.description }
        let texts = failures.prefix(NFTTransactionError.shown).map { failure in
            let expression = failure.expression.map { ": expression \($0.kernelName)" } ?? ""
            return "\(failure.command)\(expression): \(failure.error)"
        }
        let hidden = failures.count - texts.count
        let rest = hidden > 0 || !namesAllFailures ? ["and \(hidden)\(namesAllFailures ? "" : " or more") other failures"] : []
        return (texts + rest).joined(separator: "; ")
    }
}
