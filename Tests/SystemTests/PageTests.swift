import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// The page at `/ui` in a real browser, before a real system.
  @Suite(.enabled(if: Program.exists("chromium"), "needs chromium: deploy/prerequisites --tests"))
  struct PageTests {
    private func drive(
      _ environment: String, _ gateway: RunningGateway, _ checks: [String]
    ) async throws -> [Substring] {
      let browser = try ChildProcess(
        "\(environment)/bin/python",
        arguments: [
          PackageFolder.url.appending(path: "Tests/SystemTests/Python/page.py").path,
          gateway.baseURL, RunningGateway.operatorToken, RunningGateway.token,
        ] + checks)
      let exit = try await browser.waitForExit(timeout: .seconds(240))
      #expect(exit == .status(0), "\(browser.text(of: .output))\n\(browser.text(of: .error))")
      return browser.text(of: .output).split(separator: "\n")
    }

    @Test func peopleSeeAndManageTheSystemInABrowser() async throws {
      guard let environment = try await PythonEnvironment.folder("page") else { return }
      // One of its models refuses for good whatever it is sent.
      let hub = try FakeHub(
        models: ["fake-reranker", "refusing"],
        fallback: .chosen {
          $0.body.contains(#""refusing""#) ? .failure(400, message: "Not to our taste") : .scores
        })
      let tokens = try TemporaryFolder("token")
      try tokens.writeSecret(FakeHub.token, to: "token")
      let configuration = """
        models:
          - { name: builtin }
          - { name: refusing, backend: hub, golden_pair: false }
          - { name: pictures, backend: hub, served_name: fake-reranker, images: true,
              golden_pair: false }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))" }

        """
      try await RunningSystem.run(configuration: configuration + RunningSystem.briskTimes) {
        system in
        let gateway = try await system.startGateway()
        let checks = [
          "token_is_asked_for", "figures_move", "worker_is_paused_and_resumed",
          "backend_is_paused_and_resumed", "queue_is_paused_and_resumed",
          "dead_job_is_retried_by_keyboard", "hostile_text_stays_text", "playground_ranks",
          "image_is_ranked", "image_is_refused_by_a_model_of_texts",
          "plain_token_has_the_playground", "nothing_overflows_on_a_phone",
          "themes_differ_and_are_readable", "everything_has_a_name",
        ]
        #expect(try await drive(environment, gateway, checks) == checks.map { "\($0) ok" })

        try await system.kill("queue")
        #expect(
          try await drive(environment, gateway, ["queue_is_away"]) == ["queue_is_away ok"])
      }
    }

    @Test func severalQueuesAreSeenAsOneAndToldApart() async throws {
      guard let environment = try await PythonEnvironment.folder("page") else { return }
      try await RunningShards.run { shards in
        let gateway = shards.gateway
        let together = ["queues_are_seen_as_one_and_told_apart"]
        #expect(try await drive(environment, gateway, together) == together.map { "\($0) ok" })
        try await shards.queues[1].kill("queue")
        let apart = ["one_of_the_queues_is_away"]
        #expect(try await drive(environment, gateway, apart) == apart.map { "\($0) ok" })
      }
    }
  }
}
