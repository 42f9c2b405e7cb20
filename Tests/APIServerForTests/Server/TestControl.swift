import NIOCore
import NIOHTTP1

/// The control interface of the server for `curl`, at paths outside the Kubernetes API.
struct TestControl {
    let server: TestAPIServer

    func answer(_ request: TestRequest) throws -> JSON {
        switch (request.method, request.path) {
        case (.GET, "/_test/requests"):
            return .array(server.requests(request["contains"] ?? "").map { .string($0) })
        case (.DELETE, "/_test/requests"): server.withState { $0.requests = [] }
        case (.GET, "/_test/events"): return .array(server.withState { $0.store.sorted("events") }.map(\.value))
        case (.GET, "/_test/state"): return state
        case (.POST, "/_test/compact"): server.withState { $0.store.compact() }
        case (.POST, "/_test/faults"): try addFaults(try body(request))
        case (.POST, "/_test/interrupt"): try interrupt(try body(request))
        case (.POST, "/_test/token"):
            let token = try body(request)["token"]?.text
            server.setToken(token)
        case (.POST, "/_test/settings"): try change(try body(request))
        default: throw TestStatus.unknownPath
        }
        return state
    }

    private func body(_ request: TestRequest) throws(TestStatus) -> JSON {
        do throws(JSON.Malformed) {
            return try JSON(Array(request.body.readableBytesView))
        } catch {
            throw .badRequest("\(error)")
        }
    }

    /// Counters for inspection.
    private var state: JSON {
        server.withState { state in
            var objects: JSON = [:]
            var watchers: JSON = [:]
            for resource in ServerResource.all {
                objects[resource.plural] = .number("\(state.store.objects[resource.plural]?.count ?? 0)")
                watchers[resource.plural] = .number("\(state.watchers.values.count { $0.resource == resource })")
            }
            return [
                "version": .number("\(state.store.version)"), "oldest": .number("\(state.store.oldest)"),
                "connections": .number("\(state.connections)"), "requests": .number("\(state.requests.count)"),
                "faults": .number("\(state.faults.values.map(\.count).reduce(0, +))"), "objects": objects, "watchers": watchers,
            ]
        }
    }

    private func addFaults(_ command: JSON) throws(TestStatus) {
        guard let verb = (command["call"]?.text).flatMap(ServerCall.Verb.init) else {
            throw .badRequest("call must be one of \(ServerCall.Verb.allCases.map(\.rawValue))")
        }
        let plural = try resource(command).plural
        let code = command["code"]?.integer ?? 500
        let reason = command["reason"]?.text ?? "InternalError"
        let fault: ServerFault =
            switch command["fault"]?.text {
            case "status": .status(code, reason: reason, retryAfter: command["retryAfter"]?.integer)
            case "errorEvent": .errorEvent(code, reason: reason)
            case "cut": .cut(afterBytes: command["afterBytes"]?.integer ?? 0)
            case "hang": .hang
            case "empty": .empty
            case "garbage": .garbage
            case "slow": .slow(.milliseconds(command["milliseconds"]?.integer ?? 1000))
            default: throw .badRequest("fault must be status, errorEvent, cut, hang, empty, garbage or slow")
            }
        let call = ServerCall(verb: verb, plural: plural)
        let count = max(1, command["count"]?.integer ?? 1)
        server.withState { $0.faults[call, default: []] += Array(repeating: fault, count: count) }
    }

    private func interrupt(_ command: JSON) throws(TestStatus) {
        let plural = command["resource"]?.text == "*" ? "*" : try resource(command).plural
        let version = server.withState { $0.store.version }
        let interruption: Interruption
        switch command["action"]?.text {
        case "end": interruption = .end
        case "cut": interruption = .cut
        case "hang": interruption = .hang
        case "half": interruption = .half
        case "garbage": interruption = .text("\u{7f}garbage}{\n")
        case "text": interruption = .text(command["text"]?.text ?? "")
        case "bookmark": interruption = .bookmark(command["version"]?.integer ?? version + (command["offset"]?.integer ?? 0))
        case "deleted": interruption = .deleted(try object(command, try resource(command), version))
        case "loseDelete":
            return server.withState { $0.lostDeletions[plural, default: 0] += max(1, command["count"]?.integer ?? 1) }
        default: throw .badRequest("action must be end, cut, hang, half, garbage, text, bookmark, deleted or loseDelete")
        }
        server.interrupt(plural, interruption)
    }

    /// Returns the object that is named, or one that never existed.
    private func object(_ command: JSON, _ resource: ServerResource, _ version: Int) throws(TestStatus) -> StoredObject {
        let place = ServerStore.Place(
            resource: resource, namespace: resource.isNamespaced ? command["namespace"]?.text ?? "default" : nil,
            name: command["name"]?.text ?? "never")
        var metadata: JSON = ["name": .string(place.name ?? "")]
        metadata["namespace"] = place.namespace.map { .string($0) }
        do throws(ProtobufWriter.Mismatch) {
            if let known = server.withState({ $0.store.objects[resource.plural]?[place.key] }) { return known.at(version: version) }
            return try StoredObject(resource, ["metadata": metadata], version: version)
        } catch {
            throw .badRequest("\(error)")
        }
    }

    private func change(_ command: JSON) throws(TestStatus) {
        if let text = command["streamingLists"]?.text {
            guard let streamingLists = StreamingLists(rawValue: text) else {
                throw .badRequest("streamingLists must be supported, invalid, errorEvent or endless")
            }
            server.withState { $0.streamingLists = streamingLists }
        }
        if let absent = command["absent"]?.items { server.withState { $0.absent = Set(absent.compactMap(\.text)) } }
    }

    private func resource(_ command: JSON) throws(TestStatus) -> ServerResource {
        guard let resource = (command["resource"]?.text).flatMap(ServerResource.named) else {
            throw .badRequest("resource must be one of \(ServerResource.all.map(\.plural))")
        }
        return resource
    }
}
