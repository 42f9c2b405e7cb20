import NIOCore
import NIOHTTP1

/// What the server can be told by `curl`, at paths that no Kubernetes API has.
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

    /// Numbers to look at.
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

    private func addFaults(_ order: JSON) throws(TestStatus) {
        guard let verb = (order["call"]?.text).flatMap(ServerCall.Verb.init) else {
            throw .badRequest("call must be one of \(ServerCall.Verb.allCases.map(\.rawValue))")
        }
        let plural = try resource(order).plural
        let code = order["code"]?.integer ?? 500
        let reason = order["reason"]?.text ?? "InternalError"
        let fault: ServerFault =
            switch order["fault"]?.text {
            case "status": .status(code, reason: reason, retryAfter: order["retryAfter"]?.integer)
            case "errorEvent": .errorEvent(code, reason: reason)
            case "cut": .cut(afterBytes: order["afterBytes"]?.integer ?? 0)
            case "hang": .hang
            case "empty": .empty
            case "garbage": .garbage
            case "slow": .slow(.milliseconds(order["milliseconds"]?.integer ?? 1000))
            default: throw .badRequest("fault must be status, errorEvent, cut, hang, empty, garbage or slow")
            }
        let call = ServerCall(verb: verb, plural: plural)
        let count = max(1, order["count"]?.integer ?? 1)
        server.withState { $0.faults[call, default: []] += Array(repeating: fault, count: count) }
    }

    private func interrupt(_ order: JSON) throws(TestStatus) {
        let plural = order["resource"]?.text == "*" ? "*" : try resource(order).plural
        let version = server.withState { $0.store.version }
        let interruption: Interruption
        switch order["action"]?.text {
        case "end": interruption = .end
        case "cut": interruption = .cut
        case "hang": interruption = .hang
        case "half": interruption = .half
        case "garbage": interruption = .text("\u{7f}garbage}{\n")
        case "text": interruption = .text(order["text"]?.text ?? "")
        case "bookmark": interruption = .bookmark(order["version"]?.integer ?? version + (order["offset"]?.integer ?? 0))
        case "deleted": interruption = .deleted(try object(order, try resource(order), version))
        case "loseDelete":
            return server.withState { $0.lostDeletions[plural, default: 0] += max(1, order["count"]?.integer ?? 1) }
        default: throw .badRequest("action must be end, cut, hang, half, garbage, text, bookmark, deleted or loseDelete")
        }
        server.interrupt(plural, interruption)
    }

    /// The object that is named, or one that never was.
    private func object(_ order: JSON, _ resource: ServerResource, _ version: Int) throws(TestStatus) -> StoredObject {
        let place = ServerStore.Place(
            resource: resource, namespace: resource.isNamespaced ? order["namespace"]?.text ?? "default" : nil,
            name: order["name"]?.text ?? "never")
        var metadata: JSON = ["name": .string(place.name ?? "")]
        metadata["namespace"] = place.namespace.map { .string($0) }
        do throws(ProtobufWriter.Mismatch) {
            if let known = server.withState({ $0.store.objects[resource.plural]?[place.key] }) { return known.at(version: version) }
            return try StoredObject(resource, ["metadata": metadata], version: version)
        } catch {
            throw .badRequest("\(error)")
        }
    }

    private func change(_ order: JSON) throws(TestStatus) {
        if let text = order["streamingLists"]?.text {
            guard let streamingLists = StreamingLists(rawValue: text) else {
                throw .badRequest("streamingLists must be supported, invalid, errorEvent or endless")
            }
            server.withState { $0.streamingLists = streamingLists }
        }
        if let absent = order["absent"]?.items { server.withState { $0.absent = Set(absent.compactMap(\.text)) } }
    }

    private func resource(_ order: JSON) throws(TestStatus) -> ServerResource {
        guard let resource = (order["resource"]?.text).flatMap(ServerResource.named) else {
            throw .badRequest("resource must be one of \(ServerResource.all.map(\.plural))")
        }
        return resource
    }
}
