import Foundation
import Kubernetes
import KubernetesAPI

/// The body of a real API server's answer: `Tests/Fixtures/recordings/<name>.json` and `.pb`, described there by index.json.
struct Recording {
    let name: String
    let contentType: ContentType

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/recordings")

    init(_ name: String, _ contentType: ContentType) {
        self.name = name
        self.contentType = contentType
    }

    var bytes: [UInt8] {
        get throws {
            let suffix = contentType == .json ? "json" : "pb"
            return try Array(Data(contentsOf: Recording.folder.appending(path: "\(name).\(suffix)")))
        }
    }

    func list<Object: APIObject>(of type: Object.Type = Object.self) throws -> ObjectList<Object> {
        try WireDecoder<Object>(contentType: contentType).list(bytes)
    }

    /// Returns the events of a complete watch, decoded at once.
    func events<Object: APIObject>(of type: Object.Type = Object.self) throws -> [WatchEvent<Object>] {
        try Recording.events(bytes, contentType, cuts: []).events
    }

    func status() throws -> APIStatus? {
        try WireDecoder<Service>.status(bytes, contentType: contentType)
    }

    /// Returns the events of a watch that is decoded in pieces, split at `cuts`.
    static func events<Object: APIObject>(
        _ bytes: [UInt8], _ contentType: ContentType, cuts: [Int]
    ) throws -> (events: [WatchEvent<Object>], problems: [WireProblem], isAtFrameBoundary: Bool) {
        var decoder = WatchDecoder<Object>(contentType: contentType)
        var events: [WatchEvent<Object>] = []
        var problems: [WireProblem] = []
        var start = 0
        for end in cuts + [bytes.count] {
            events += try decoder.feed(bytes[start..<end])
            problems += decoder.problems
            start = end
        }
        return (events, problems, decoder.isAtFrameBoundary)
    }

    /// Returns all files listed in index.json.
    static func all() throws -> [String] {
        struct Entry: Decodable {
            var file: String
        }
        return try JSONDecoder().decode([Entry].self, from: Data(contentsOf: folder.appending(path: "index.json"))).map(\.file)
    }
}
