import KernelTestSupport

/// A client in a network namespace that sends requests until it is stopped; one that a failed test left behind is killed before the next test.
struct TrafficClient {
    private let process: Int
    private let stop: String
    private let output: String

    /// Starts a client.
    ///
    /// - Parameter command: the arguments of `traffic`, without the end.
    static func start(in namespace: String, _ command: String) async throws -> TrafficClient {
        // The files of an earlier client, which may still write to them, are not used again.
        let number = await World.shared.nextClient()
        let (stop, output) = ("\(Place.scratch)/client-\(number).stop", "\(Place.scratch)/client-\(number)")
        let process = try await Shell.output(
            // The client is read before it has started.
            "touch \(output); setsid ip netns exec \(namespace) \(Place.traffic) \(command) --until-file \(stop) </dev/null >\(output) 2>&1 & echo $!"
        )
        guard let process = Int(process) else { throw Shell.Failure(script: "traffic \(command)", output: process) }
        await World.shared.started(process)
        return TrafficClient(process: process, stop: stop, output: output)
    }

    /// What the client has written until now.
    func written() throws -> String { try String(ofFile: output) }

    /// Stops the client and returns its output, without the final newline.
    func finish() async throws -> String {
        let output = try await Shell.output(
            "touch \(stop); for i in $(seq 600); do kill -0 \(process) 2>/dev/null || exec cat \(output); sleep 0.1; done; "
                + "echo 'traffic did not end'; exit 1")
        await World.shared.ended(process)
        return output
    }
}
