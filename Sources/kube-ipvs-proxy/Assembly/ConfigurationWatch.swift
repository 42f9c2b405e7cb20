internal import Kubernetes
internal import ServiceLifecycle
internal import SystemCalls

/// Ends the program when its configuration file changes: its supervisor starts it again, and the kernel keeps serving meanwhile.
struct ConfigurationWatch: ServiceLifecycle.Service {
    let file: WatchedFile

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            if try await file.changed() { throw ConfigurationChanged() }
        }
    }
}

/// The configuration file is not what it was, in kube-proxy's words.
struct ConfigurationChanged: Error, CustomStringConvertible {
    let description = "content of the proxy server's configuration file was updated"
}
