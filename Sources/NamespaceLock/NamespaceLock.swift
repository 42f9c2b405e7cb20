internal import Dispatch
internal import FoundationEssentials
internal import Glibc
public import StatusAPI
internal import SystemPackage

/// The network namespace, which one instance of this program holds: an abstract Unix socket is scoped to the namespace, and goes with its
/// process, however that ends.
///
/// It protects against accidents, not against attackers: every process in the namespace may use the name.
public enum NamespaceLock {
    /// Shown as `@kube-ipvs-proxy` by `ss -xl`.
    public static let name = "kube-ipvs-proxy"

    /// The result of trying to hold the namespace.
    public enum Claim: Sendable {
        case held(HeldNamespace)
        /// An instance that root started holds it.
        case other(NamespaceHolder)
        /// A process that root did not start uses the name; `user` is nil if the kernel does not tell.
        case untrusted(pid: Int, user: UInt32?)
        /// - Parameter isTemporary: whether the same attempt may succeed later.
        case failed(reason: String, isTemporary: Bool)
    }

    /// Holds the namespace, or connects to its holder.
    ///
    /// Takes some seconds if the holder is stopped, as it does not answer then.
    ///
    /// - Parameters:
    ///   - description: what to tell others while this instance holds it.
    ///   - name: another name, for tests.
    public static func claim(as description: InstanceDescription, name: String = name) async -> Claim {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: claimNow(as: description, name)) }
        }
    }

    /// How long a process may have the name without listening: an instance listens within microseconds.
    private static let attempts = 500
    private static let pause: UInt32 = 2000
    private static let answerTimeout = Duration.seconds(1)

    private static func claimNow(as description: InstanceDescription, _ name: String) -> Claim {
        for attempt in 1...attempts {
            do throws(Errno) {
                let socket = try UnixSocket()
                try socket.listen(name, backlog: 128)
                return .held(HeldNamespace(socket.release(), description))
            } catch {
                guard error == .addressInUse else { return failure(error) }
            }
            do throws(Errno) {
                let socket = try UnixSocket()
                try socket.connect(name, timeout: answerTimeout)
                guard let peer = PeerCredentials(of: socket.descriptor) else { return .untrusted(pid: 0, user: nil) }
                guard peer.isTrusted else { return .untrusted(pid: Int(peer.pid), user: peer.user) }
                let holder = NamespaceHolder(socket.release(), pid: Int(peer.pid), timeout: answerTimeout)
                // An ending process closes its connections before it releases the name.
                guard holder.hasClosed, attempt < attempts / 10 else { return .other(holder) }
                usleep(pause)
            } catch {
                switch error {
                // It has just ended, or does not listen.
                case .connectionRefused, .connectionReset: usleep(pause)
                // Its queue is full: only others than instances of this program make so many connections.
                case .wouldBlock, .resourceTemporarilyUnavailable: return .untrusted(pid: 0, user: nil)
                default: return failure(error)
                }
            }
        }
        return .untrusted(pid: 0, user: nil)
    }

    private static func failure(_ error: Errno) -> Claim {
        let temporary: Set<Errno> = [.noMemory, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .interrupted]
        return .failed(reason: "socket @\(name): \(error)", isTemporary: temporary.contains(error))
    }
}
