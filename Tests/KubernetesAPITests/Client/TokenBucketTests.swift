import KubernetesAPI
import Testing

struct TokenBucketTests {
    @Test func `A burst is allowed at once, further requests at the given rate`() {
        var bucket = TokenBucket(qps: 5, burst: 3)
        #expect((0..<3).map { _ in bucket.take(at: .zero) } == [.zero, .zero, .zero])
        #expect(bucket.take(at: .zero) == .milliseconds(200))
        #expect(bucket.take(at: .zero) == .milliseconds(400))
        #expect(bucket.take(at: .seconds(1)) == .zero)
    }

    @Test func `Unused tokens are saved up to the burst`() {
        var bucket = TokenBucket(qps: 10, burst: 2)
        #expect((0..<3).map { _ in bucket.take(at: .seconds(3600)) } == [.zero, .zero, .milliseconds(100)])
    }

    @Test func `Negative rates mean no limit, and 0 means client-go's default`() {
        var free = TokenBucket(qps: -1, burst: 1)
        #expect((0..<100).allSatisfy { _ in free.take(at: .zero) == .zero })
        var usual = TokenBucket(qps: 0, burst: 0)
        #expect((0..<11).map { _ in usual.take(at: .zero) }.last == .milliseconds(200))
    }
}
