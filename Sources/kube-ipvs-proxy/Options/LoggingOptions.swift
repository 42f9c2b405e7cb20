internal import ArgumentParser
internal import KubeProxyConfiguration

/// The logging flags.
struct LoggingOptions: ParsableArguments {
    @Option(
        name: [.customLong("v"), .customShort("v")],
        help: ArgumentHelp(
            "Log verbosity: 0 for important messages, 4 for each operation on the kernel, 6 for everything.", valueName: "level"))
    var v: UInt32?

    @Option(help: ArgumentHelp("Log verbosity of single files. Accepted, but has no effect.", valueName: "pattern=level,…"))
    var vmodule: String?

    @Option(help: ArgumentHelp("Log format: text or json.", discussion: "Default: text.", valueName: "format"))
    var loggingFormat: String?

    @Option(help: ArgumentHelp("Accepted, but has no effect: log lines are written immediately.", valueName: "duration"))
    var logFlushFrequency: GoDuration?

    @Option(help: .hidden) var logTextSplitStream: GoBool?
    @Option(help: .hidden) var logTextInfoBufferSize: String?
    @Option(name: .customLong("log-json-split-stream"), help: .hidden) var logJSONSplitStream: GoBool?
    @Option(name: .customLong("log-json-info-buffer-size"), help: .hidden) var logJSONInfoBufferSize: String?

    var values: FlagValues.Logging {
        var values = FlagValues().logging
        values.v = v
        values.vmodule = vmodule
        values.format = loggingFormat
        values.flushFrequency = logFlushFrequency
        values.textSplitStream = logTextSplitStream?.value
        values.textInfoBufferSize = logTextInfoBufferSize
        values.jsonSplitStream = logJSONSplitStream?.value
        values.jsonInfoBufferSize = logJSONInfoBufferSize
        return values
    }
}
