import Kubernetes
import Model
import Testing

@testable import KubernetesAPI

/// The results of following a real API server, using its recorded answers.
struct ReflectionTests {
    private var reflection = Reflection<Service>(.services, ReflectorSettings())
    private var generator = FixedGenerator()
    private var state = ClusterState()

    private mutating func apply(_ changes: [ClusterChange]) {
        for change in changes { state.apply(change) }
    }

    private mutating func watch(_ recording: Recording) throws -> APIStatus? {
        _ = reflection.next(using: &generator)
        for event in try recording.events(of: Service.self) {
            do throws(APIStatus) {
                apply(try reflection.take(event))
            } catch {
                reflection.failed(.status(error, asEvent: true), using: &generator)
                return error
            }
        }
        reflection.ended(after: .seconds(75), using: &generator)
        return nil
    }

    @Test(arguments: ContentType.allCases)
    mutating func `A streamed list and a paged list give the same Services`(contentType: ContentType) throws {
        let refusal = try watch(Recording("services-streaming-list", contentType))
        #expect(refusal == nil)
        let streamed = state
        reflection = Reflection(.services, ReflectorSettings(streamsLists: false))
        state = ClusterState()
        for name in ["services-page-1", "services-page-2"] {
            _ = reflection.next(using: &generator)
            #expect(!reflection.state.hasListed)
            apply(reflection.take(try Recording(name, contentType).list(of: Service.self)))
        }
        #expect(reflection.state.hasListed)
        #expect(!state.services.isEmpty)
        #expect(Set(state.services.keys).isSubset(of: streamed.services.keys))
    }

    @Test(arguments: ContentType.allCases)
    mutating func `A watch advances to its last bookmark and removes deleted objects`(contentType: ContentType) throws {
        reflection = Reflection(.services, ReflectorSettings(streamsLists: false))
        _ = reflection.next(using: &generator)
        apply(reflection.take(try Recording("services-list", contentType).list(of: Service.self)))
        #expect(reflection.state.resourceVersion == "204")
        let refusal = try watch(Recording("services-watch", contentType))
        #expect(refusal == nil)
        #expect(reflection.state.resourceVersion == "238")
        #expect(reflection.held.count == state.services.count)
    }

    @Test(arguments: ContentType.allCases)
    mutating func `An expired version and a server without streaming lists cause a paged list`(contentType: ContentType) throws {
        let refusal = try watch(Recording("services-streaming-list-unsupported", contentType))
        #expect(refusal?.code == 500)
        #expect(reflection.next(using: &generator) == .page(resourceVersion: "0", limit: 500, continueToken: nil))
        apply(reflection.take(try Recording("services-list", contentType).list(of: Service.self)))
        let expired = try watch(Recording("services-watch-too-old", contentType))
        #expect(expired?.code == 410)
        #expect(reflection.next(using: &generator) == .page(resourceVersion: nil, limit: 500, continueToken: nil))
        let changes = reflection.take(try Recording("services-list", contentType).list(of: Service.self))
        #expect(changes.isEmpty)
    }
}
