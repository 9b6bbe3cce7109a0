import Crypto
import Foundation
import Synchronization
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl models pull`, against a hub of our own with the Hugging Face hub's layout.
  @Suite struct ModelPullTests {
    private struct Pulled: Decodable {
      struct File: Decodable {
        var name: String
        var bytes: Int
        var downloadedBytes: Int
        var state: String
        var sha256: String?
        var gitOid: String?
      }

      var model: String
      var revision: String
      var commit: String
      var folder: String
      var files: [File]
      var bytes: Int
      var downloadedBytes: Int
      var durationMs: Int
    }

    @Test func aPulledModelIsWholeAndPassesVerification() async throws {
      let hub = try FakeModelHub()
      let target = try TemporaryFolder("pull")
      let pulled = try await pull(hub, target, ["-o", "json"])
      try #require(pulled.exit == .status(0), "\(pulled.error)")
      _ = try pulled.json(as: "models-pull")
      let view = try pulled.json(Pulled.self)
      #expect(view.commit == FakeModelHub.commit)
      #expect(view.files.allSatisfy { $0.state == "downloaded" })
      #expect(view.files.first { $0.name == "model.safetensors" }?.sha256 != nil)
      #expect(view.files.first { $0.name == "config.json" }?.gitOid != nil)
      #expect(!FileManager.default.fileExists(atPath: target.path("m/README.md")))
      let verified = try ChildProcess(
        "rerankctl", arguments: ["models", "verify", target.path("m")])
      #expect(try await verified.waitForExit(timeout: .seconds(120)) == .status(0))

      let again = try await pull(hub, target, ["-o", "json"]).json(Pulled.self)
      #expect(again.downloadedBytes == 0)
      #expect(again.files.allSatisfy { $0.state == "present" })
    }

    /// A connection that is cut off, a server that fails, and a redirect to another host at once.
    @Test func aPullGoesOnWhereItWasCutOffAndKeepsTheTokenFromOtherHosts() async throws {
      let hub = try FakeModelHub(token: "secret", cuts: 2, failures: 1)
      let target = try TemporaryFolder("pull")
      let pulled = try await pull(hub, target, ["-o", "json"], token: "secret")
      try #require(pulled.exit == .status(0), "\(pulled.error)")
      let weights = try #require(
        try pulled.json(Pulled.self).files.first { $0.name == "model.safetensors" })
      // Every byte came once.
      #expect(weights.downloadedBytes == weights.bytes)
      let stored = hub.store.requests
      #expect(stored.contains { $0.headers["range"] != nil })
      #expect(!stored.isEmpty && stored.allSatisfy { $0.headers["authorization"] == nil })
      #expect(hub.front.requests.allSatisfy { $0.headers["authorization"] == "Bearer secret" })
    }

    @Test func aFileWithAnotherChecksumGetsNoName() async throws {
      let hub = try FakeModelHub(spoils: "model.safetensors")
      let target = try TemporaryFolder("pull")
      let pulled = try await pull(hub, target)
      #expect(pulled.exit == .status(1))
      #expect(pulled.error.contains("model.safetensors has not the checksum"))
      #expect(!FileManager.default.fileExists(atPath: target.path("m/model.safetensors")))
    }

    @Test func shardsAreFetchedAsTheIndexNamesThem() async throws {
      let hub = try FakeModelHub(shards: ["part-2.safetensors", "part-1.safetensors"])
      let target = try TemporaryFolder("pull")
      let pulled = try await pull(hub, target, ["-o", "json"])
      try #require(pulled.exit == .status(0), "\(pulled.error)")
      let names = try pulled.json(Pulled.self).files.map(\.name)
      #expect(names.contains("model.safetensors.index.json"))
      #expect(names.suffix(2) == ["part-1.safetensors", "part-2.safetensors"])
      #expect(hub.store.requests.count == 2)
    }

    /// What an earlier try left may be anything.
    @Test func aSpoiltRestOfAnEarlierTryIsFetchedAnew() async throws {
      let hub = try FakeModelHub(cuts: 100)
      let target = try TemporaryFolder("pull")
      let folder = target.url.appending(path: "m")
      let cut = try ChildProcess(
        "rerankctl", arguments: ["models", "pull", "org/tiny", "--to", folder.path],
        environment: ["HF_ENDPOINT": hub.front.baseURL, "HF_TOKEN": ""])
      let part = try await eventualValue("a part of the weights") {
        try? FileManager.default.contentsOfDirectory(atPath: folder.path)
          .first { $0.hasPrefix("model.safetensors.") && $0.hasSuffix(".part") }
          .flatMap { name in
            let path = folder.appending(path: name)
            return try Data(contentsOf: path).isEmpty ? nil : path
          }
      }
      cut.signal(SIGKILL)
      _ = try await cut.waitForExit()
      var bytes = try Data(contentsOf: part)
      bytes[0] ^= 1
      try bytes.write(to: part)

      let sound = try FakeModelHub()
      let pulled = try await pull(sound, target, ["-o", "json"])
      try #require(pulled.exit == .status(0), "\(pulled.error)")
      let weights = try #require(
        try pulled.json(Pulled.self).files.first { $0.name == "model.safetensors" })
      #expect(weights.state == "resumed")
      // The rest of the spoilt one, and then all of it.
      #expect(weights.downloadedBytes > weights.bytes)
      #expect(sound.store.requests.map { $0.headers["range"] == nil } == [false, true])
    }

    @Test func nothingIsWrittenBeyondWhatIsListed() async throws {
      let hub = try FakeModelHub(listedBytes: ["model.safetensors": 1_000])
      let target = try TemporaryFolder("pull")
      let pulled = try await pull(hub, target)
      #expect(pulled.exit == .status(1))
      #expect(pulled.error.contains("goes on after the 1000 bytes"), "\(pulled.error)")
      let there = try FileManager.default.contentsOfDirectory(atPath: target.path("m"))
      #expect(!there.contains("model.safetensors"))
    }

    @Test func aListOfWhatIsNoModelIsRefusedBeforeItsWeightsAreFetched() async throws {
      let cases: [(FakeModelHub, String)] = [
        (try FakeModelHub(shards: ["../evil.safetensors"]), "an index with the shard"),
        (try FakeModelHub(shards: ["/tmp/evil.safetensors"]), "an index with the shard"),
        (try FakeModelHub(shards: ["a\u{1B}[2J.safetensors"]), "an index with the shard"),
        (try FakeModelHub(shards: ["other.safetensors"]), "has no other.safetensors"),
        (try FakeModelHub(listedBytes: ["tokenizer.json": 1 << 30]), "64.0 MiB are allowed"),
        (try FakeModelHub(listedBytes: ["model.safetensors": 1 << 40]), "which is the limit"),
      ]
      for (hub, reason) in cases {
        let target = try TemporaryFolder("pull")
        let pulled = try await pull(hub, target)
        #expect(pulled.exit == .status(65), "\(reason)")
        #expect(pulled.error.contains(reason), "\(pulled.error)")
        #expect(!pulled.error.contains("\u{1B}"))
        #expect(hub.store.requests.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: target.url.path).count <= 1)
      }
    }

    @Test func refusalsSayWhatToDo() async throws {
      let cases: [(Int, String, String, String)] = [
        (401, "GatedRepo", "", "then set HF_TOKEN"), (401, "", "", "is the name right?"),
        (403, "GatedRepo", "secret", "is not let in"),
        (401, "", "secret", "does not take the token"),
        (404, "", "", "ORG/NAME"), (404, "RevisionNotFound", "", "--revision takes"),
      ]
      for (status, code, token, advice) in cases {
        let hub = try FakeModelHub(refusal: (status, code))
        let pulled = try await pull(hub, try TemporaryFolder("pull"), token: token)
        #expect(pulled.exit == .status(65), "\(status) \(code)")
        #expect(pulled.error.contains(advice), "\(pulled.error)")
        #expect(!pulled.error.contains("secret"))
        #expect(pulled.error.split(separator: "\n").count == 1)
      }
    }

    @Test func aTokenIsNotSentInTheClear() async throws {
      let process = try ChildProcess(
        "rerankctl", arguments: ["models", "pull", "org/tiny"],
        environment: ["HF_ENDPOINT": "http://192.0.2.1", "HF_TOKEN": "secret"])
      #expect(try await process.waitForExit() == .status(65))
      #expect(process.text(of: .error).contains("use https"))
      #expect(!process.text(of: .error).contains("secret"))
    }

    private func pull(
      _ hub: FakeModelHub, _ target: TemporaryFolder, _ arguments: [String] = [],
      token: String = ""
    ) async throws -> ControlOutput {
      try await ControlOutput.of(
        ["models", "pull", "org/tiny", "--to", target.path("m")] + arguments,
        environment: ["HF_ENDPOINT": hub.front.baseURL, "HF_TOKEN": token])
    }
  }
}

/// The hub's layout over two servers: the front with its API, and the store that it leads large
/// files to.
private struct FakeModelHub {
  static let commit = String(repeating: "ab", count: 20)

  let front: FakeHub
  let store: FakeHub

  /// - Parameters:
  ///   - token: what the front wants to see; empty: nothing.
  ///   - cuts: how many answers of the store end in their middle.
  ///   - failures: how many requests the front answers with 500 first.
  ///   - spoils: a file whose last byte comes wrong.
  ///   - listedBytes: sizes that are no files' own.
  ///   - shards: what an index names, in place of the weights in one file; those whose names begin
  ///     with "part-" are there.
  init(
    token: String = "", cuts: Int = 0, failures: Int = 0, spoils: String? = nil,
    listedBytes: [String: Int] = [:], shards: [String]? = nil,
    refusal: (status: Int, code: String)? = nil
  ) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
      .appending(path: "Fixtures/families/modernbert-cls")
    var files: [String: [UInt8]] = ["README.md": Array("no file of the engine".utf8)]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      files[name] = [UInt8](try Data(contentsOf: folder.appending(path: name)))
    }
    if let shards {
      let weights = files.removeValue(forKey: "model.safetensors")
      for name in shards where name.hasPrefix("part-") { files[name] = weights }
      let map = Dictionary(uniqueKeysWithValues: shards.enumerated().map { ("t\($0)", $1) })
      files["model.safetensors.index.json"] = [UInt8](
        try JSONSerialization.data(withJSONObject: ["weight_map": map]))
    }
    let tree = try JSONSerialization.data(
      withJSONObject: files.map { Self.entry($0, $1, bytes: listedBytes[$0] ?? $1.count) })
    var served = files
    if let spoils, let last = served[spoils]?.indices.last { served[spoils]?[last] ^= 1 }
    let contents = served
    (front, store) = (try FakeHub(), try FakeHub())
    let left = (cuts: Countdown(cuts), failures: Countdown(failures))
    store.serve { request in
      let name = request.path.split(separator: "/").last.map(String.init) ?? ""
      guard let body = contents[name] else { return .init(status: 404) }
      let start =
        request.headers["range"]
        .flatMap { $0.wholeMatch(of: /bytes=(\d+)-/)?.output.1 }.flatMap { Int($0) } ?? 0
      let rest = Array(body[min(start, body.count)...])
      let isCut = left.cuts.takes()
      let range = "bytes \(start)-\(body.count - 1)/\(body.count)"
      return .init(
        status: start > 0 ? 206 : 200, headers: start > 0 ? ["content-range": range] : [:],
        body: rest, cutAfter: isCut ? rest.count / 2 : nil)
    }
    let place = store.baseURL
    front.serve { request in
      if left.failures.takes() { return .init(status: 500) }
      if let refusal {
        return .init(status: refusal.status, headers: ["x-error-code": refusal.code])
      }
      guard token.isEmpty || request.headers["authorization"] == "Bearer \(token)" else {
        return .init(status: 401)
      }
      switch request.path {
      case "/api/models/org/tiny/revision/main":
        return .init(body: Array(#"{"sha":"\#(Self.commit)"}"#.utf8))
      case "/api/models/org/tiny/tree/\(Self.commit)":
        return .init(body: Array(tree))
      default:
        let name = request.path.split(separator: "/").last.map(String.init) ?? ""
        if name.hasSuffix(".safetensors") {
          return .init(status: 302, headers: ["location": "\(place)/blobs/\(name)"])
        }
        return contents[name].map { .init(body: $0) } ?? .init(status: 404)
      }
    }
  }

  private static func entry(_ name: String, _ body: [UInt8], bytes: Int) -> [String: Any] {
    func hex(_ digest: some Sequence<UInt8>) -> String {
      digest.map { String(format: "%02x", $0) }.joined()
    }
    let blob = Insecure.SHA1.hash(data: Data("blob \(body.count)\0".utf8) + body)
    var entry: [String: Any] = [
      "type": "file", "path": name, "size": bytes, "oid": hex(blob),
    ]
    if name.hasSuffix(".safetensors") {
      entry["lfs"] = ["oid": hex(SHA256.hash(data: body)), "size": bytes]
      entry["oid"] = String(repeating: "0", count: 40)
    }
    return entry
  }
}

/// How many times something happens yet.
private final class Countdown: Sendable {
  private let left: Mutex<Int>

  init(_ count: Int) {
    left = Mutex(count)
  }

  func takes() -> Bool {
    left.withLock { left in
      defer { left -= 1 }
      return left > 0
    }
  }
}
