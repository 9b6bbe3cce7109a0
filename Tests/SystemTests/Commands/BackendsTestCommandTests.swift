import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl backends test`, against a hub of our own.
  @Suite struct BackendsTestCommandTests {
    private struct Answer: Decodable {
      struct Failure: Decodable {
        var code: String
        var message: String
      }

      var backend: String
      var asked: String
      var model: String?
      var state: String
      var latencyUs: UInt64?
      var models: [String]?
      var relevantScore: Float?
      var irrelevantScore: Float?
      var error: Failure?
      var note: String
    }

    /// - Parameters:
    ///   - folder: gets the configuration, whose token lies in its file "token".
    ///   - model: further keys of the model.
    private func test(
      _ hub: FakeHub, in folder: TemporaryFolder, model: String = "", names: [String] = []
    ) async throws -> ControlOutput {
      let configuration = try folder.write(
        """
        models:
          - { name: remote, backend: hub, served_name: fake-reranker\(model) }
          - { name: builtin }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(folder.path("token"))" }
        """, to: "rerankd.yaml")
      return try await ControlOutput.of(
        ["backends", "test"] + names + ["--config", configuration, "-o", "json"])
    }

    private func folder(token: String = FakeHub.token) throws -> TemporaryFolder {
      let folder = try TemporaryFolder("probe")
      try folder.writeSecret(token, to: "token")
      return folder
    }

    @Test func aBackendThatWorksTellsItsModelsAndScoresInOrder() async throws {
      let hub = try FakeHub(
        models: ["other", "fake-reranker"], fallback: .delayed(.milliseconds(20)))
      let tested = try await test(hub, in: folder(), names: ["hub"])
      #expect(tested.exit == .status(0), "\(tested.error)")
      _ = try tested.json(as: "backends-test")
      let answers = try tested.json([Answer].self)
      #expect(answers.map(\.asked) == ["models", "rerank"])
      #expect(answers.allSatisfy { $0.state == "ok" && $0.backend == "hub" })
      #expect(answers.first?.models == ["fake-reranker", "other"])
      let ranked = try #require(answers.last)
      #expect(ranked.model == "remote")
      #expect(try #require(ranked.latencyUs) >= 20_000)
      #expect(try #require(ranked.relevantScore) > #require(ranked.irrelevantScore))
      #expect(hub.requests.count == 2)
    }

    @Test func aRefusedTokenFailsAndIsNotShown() async throws {
      let hub = try FakeHub()
      let tested = try await test(hub, in: folder(token: "outdated-token"))
      #expect(tested.exit == .status(1))
      _ = try tested.json(as: "backends-test")
      let answers = try tested.json([Answer].self)
      #expect(answers.map(\.error?.code) == ["UNAUTHENTICATED", "UNAUTHENTICATED"])
      #expect(answers.allSatisfy { $0.state == "failed" && $0.note.contains("answered 401") })
      #expect(!(tested.output + tested.error).contains("outdated-token"))
    }

    @Test func aModelThatIsNotListedIsNotAsked() async throws {
      let hub = try FakeHub(models: ["another"])
      let answers = try await test(hub, in: folder()).json([Answer].self)
      #expect(answers.map(\.state) == ["ok", "failed"])
      #expect(answers.last?.note.contains("does not list \"fake-reranker\"") == true)
      #expect(hub.rerankCount == 0)
    }

    @Test func scoresInTheWrongOrderFailUnlessTheModelIsNotHeldToIt() async throws {
      let hub = try FakeHub(
        fallback: .altered { results in
          results.map { .init(index: $0.index, text: $0.text, score: 1 - $0.score) }
        })
      let held = try await test(hub, in: folder())
      #expect(held.exit == .status(1))
      #expect(try held.json([Answer].self).last?.note.contains("that is noise") == true)
      let free = try await test(hub, in: folder(), model: ", golden_pair: false")
      #expect(free.exit == .status(0))
      #expect(try free.json([Answer].self).map(\.state) == ["ok", "warning"])
    }

    @Test func aServerThatFailsOrIsAwayIsToldFromOneThatWorks() async throws {
      let hub = try FakeHub(fallback: .internalError)
      let failing = try await test(hub, in: folder()).json([Answer].self)
      #expect(failing.map(\.state) == ["ok", "failed"])
      #expect(failing.last?.note.contains("answered 500: Internal server error") == true)
      hub.stop()
      let away = try await test(hub, in: folder())
      #expect(away.exit == .status(1))
      #expect(try away.json([Answer].self).allSatisfy { $0.error?.code == "UNAVAILABLE" })
    }

    @Test func anAddressAloneWillDo() async throws {
      let hub = try FakeHub()
      let arguments = [
        "backends", "test", "--base-url", hub.baseURL, "--model", "fake-reranker", "--token-env",
        "PROBE_TOKEN",
      ]
      let tested = try await ControlOutput.of(
        arguments, environment: ["PROBE_TOKEN": FakeHub.token])
      #expect(tested.exit == .status(0), "\(tested.error)")
      #expect(tested.output.contains("lists 1 model: fake-reranker"))

      hub.fallback = .hang
      let slow = try await ControlOutput.of(
        arguments + ["--timeout", "200ms"], environment: ["PROBE_TOKEN": FakeHub.token])
      #expect(slow.exit == .status(1))
      #expect(slow.output.contains("did not answer in time"))
    }

    @Test func whatIsNotThereIsWrongInput() async throws {
      let hub = try FakeHub()
      let unknown = try await test(hub, in: folder(), names: ["hab"])
      #expect(unknown.exit == .status(65))
      #expect(unknown.error.contains("there are hub"))
      let none = try await ControlOutput.of(["backends", "test"])
      #expect(none.exit == .status(65))
      let noURL = try await ControlOutput.of(
        ["backends", "test", "--base-url", "nowhere", "--model", "m"])
      #expect(noURL.exit == .status(65))
      #expect(noURL.error.contains("base_url: must be an http or https URL"))
      let noModel = try await ControlOutput.of(["backends", "test", "--base-url", hub.baseURL])
      #expect(noModel.exit == .status(64))
    }
  }
}
