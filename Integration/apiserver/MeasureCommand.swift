internal import APIServerForTests
internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import Kubernetes
internal import KubernetesAPI

struct MeasureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Measure the time and CPU time to read EndpointSlices, and their memory afterwards.",
        discussion: """
            Measures decoding a response of a server, and indexing the objects by Service. Memory is that of this process, so another one writes the response.

            EXAMPLE
              apiserver measure --print --namespace big --services 1000 --endpoints 100 >answer
              apiserver measure --answer answer --namespace big
            """)

    @OptionGroup var population: Population

    @Option(help: ArgumentHelp("The encoding of the response.", valueName: "type"))
    var contentType = ContentType.protobuf.rawValue

    @Flag(help: "Write the response to standard output.")
    var print = false

    @Option(help: ArgumentHelp("Read this response.", valueName: "file"))
    var answer: String?

    func validate() throws {
        guard ContentType(rawValue: contentType) != nil else { throw ValidationError("unsupported content type: \(contentType)") }
        guard print != (answer != nil) else { throw ValidationError("either --print or --answer is required") }
    }

    func run() async throws {
        let type = ContentType(rawValue: contentType) ?? .protobuf
        guard let answer else {
            let slices = (0..<population.services).map(population.slice)
            return try Output.write(try TestAPIServer.list(of: "endpointslices", holding: slices, inProtobuf: type == .protobuf))
        }
        let clock = ContinuousClock()
        let before = try MeasureCommand.residentKiB
        var bytes = Array(try Data(contentsOf: URL(filePath: answer)))
        let size = bytes.count
        var objects: [EndpointSlice] = []
        let used = MeasureCommand.processorMicroseconds
        let decoding = try clock.measure { objects = try WireDecoder<EndpointSlice>(contentType: type).list(bytes).items.map(\.object) }
        let decodingUsed = MeasureCommand.processorMicroseconds - used
        bytes = []
        var state = ClusterState()
        let indexing = clock.measure {
            for slice in objects { state.apply(.endpointSlice(slice.metadata.namespacedName, slice)) }
        }
        let endpoints = objects.first?.endpoints.count ?? 0
        let count = objects.count
        objects = []
        let grown = try MeasureCommand.residentKiB - before
        try Output.say(
            "\(type == .protobuf ? "protobuf" : "JSON") \(count) slices of \(endpoints) endpoints, \(size / 1024) KiB: "
                + "decoded in \(MeasureCommand.milliseconds(decoding)) ms, indexed in \(MeasureCommand.milliseconds(indexing)) ms, "
                + "\(grown) KiB more resident (\(state.slices.count) Services); CPU time \(decodingUsed) microseconds to decode")
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    /// The CPU time of this process so far: `CLOCKS_PER_SEC` is 1,000,000 in POSIX.
    private static var processorMicroseconds: Int { Glibc.clock() }

    private static var residentKiB: Int {
        get throws {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        }
    }
}
