import FoundationEssentials
import Testing

@testable import StatusServer

/// A recorded response of kube-proxy, as printed by `curl -i`.
struct RecordedAnswer {
    /// `HTTP/1.1 200 OK` and the headers, without `Date`, `Content-Length` and `Transfer-Encoding`.
    var head: [String]
    var body: String

    init(_ name: String) throws {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        let data = try Data(contentsOf: URL(filePath: "\(folder)/Fixtures/kube-proxy-1.36-http/\(name)"))
        let text = String(decoding: data, as: UTF8.self).replacing("\r\n", with: "\n")
        let end = try #require(text.firstRange(of: "\n\n"))
        body = String(text[end.upperBound...])
        head = text[..<end.lowerBound].split(separator: "\n").map(String.init).filter { line in
            !["Date:", "Content-Length:", "Transfer-Encoding:"].contains { line.hasPrefix($0) }
        }
    }
}

extension StatusResponse {
    private static let reasons = [200: "OK", 404: "Not Found", 406: "Not Acceptable", 503: "Service Unavailable"]

    var head: [String] {
        ["HTTP/1.1 \(status) \(StatusResponse.reasons[status] ?? "")"] + headers.map { "\($0.name): \($0.value)" }
    }

    /// Whether it matches the recorded response byte for byte.
    func isSame(as recorded: RecordedAnswer) -> Bool { head == recorded.head && body == recorded.body }
}
