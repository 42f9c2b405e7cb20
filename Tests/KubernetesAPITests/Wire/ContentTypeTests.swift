import KubernetesAPI
import Testing

@Suite struct `A content type` {
    @Test func `is parsed from a header, ignoring parameters`() {
        #expect(ContentType(header: "application/json") == .json)
        #expect(ContentType(header: "application/json; charset=utf-8") == .json)
        #expect(ContentType(header: "application/vnd.kubernetes.protobuf;stream=watch") == .protobuf)
        #expect(ContentType(header: "Application/JSON") == .json)
        #expect(ContentType(header: "text/plain; charset=utf-8") == nil)
        #expect(ContentType(header: "") == nil)
    }
}
