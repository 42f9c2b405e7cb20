extension LoggingConfiguration {
    /// As `k8s.io/component-base/logs/api/v1` has it.
    func validate(_ check: inout FieldCheck, hasAlphaOptions: Bool) {
        if format != "text", format != "json" { check.refuse("logging.format", format, "Unsupported log format", flag: "--logging-format") }
        if flushFrequency.duration <= .zero {
            check.refuse("logging.flushFrequency", flushFrequency, "must be greater than 0", flag: "--log-flush-frequency")
        }
        checkVerbosity("logging.verbosity", verbosity, flag: "--v", &check)
        if !vmodule.isEmpty, format != "text" {
            check.refuse("logging.vmodule", kind: .forbidden, "Only supported for text log format", flag: "--vmodule")
        }
        for (index, item) in vmodule.enumerated() {
            let field = "logging.vmodule[\(index)]"
            if item.filePattern.isEmpty { check.refuse(field, kind: .required, "File pattern must not be empty", flag: "--vmodule") }
            if item.filePattern.contains(where: { $0 == "=" || $0 == "," }) {
                check.refuse(field, item.filePattern, "File pattern must not contain equal sign or comma", flag: "--vmodule")
            }
            checkVerbosity(field, item.verbosity, flag: "--vmodule", &check)
        }
        guard !hasAlphaOptions else { return }
        for (name, routing) in [("text", options.text), ("json", options.json)] {
            let disabled = "Feature LoggingAlphaOptions is disabled"
            if routing.splitStream {
                check.refuse("logging.options.\(name).splitStream", kind: .forbidden, disabled, flag: "--log-\(name)-split-stream")
            }
            if !routing.infoBufferSize.isZero {
                check.refuse("logging.options.\(name).infoBufferSize", kind: .forbidden, disabled, flag: "--log-\(name)-info-buffer-size")
            }
        }
    }

    private func checkVerbosity(_ field: String, _ verbosity: UInt32, flag: String, _ check: inout FieldCheck) {
        if verbosity > Int32.max { check.refuse(field, verbosity, "Must be <= \(Int32.max)", flag: flag) }
    }
}
