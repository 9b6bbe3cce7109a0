import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// What Prometheus itself says of the metrics and of the rules.
  @Suite(.enabled(if: Program.exists("promtool"), "needs promtool: deploy/prerequisites --tests"))
  struct PrometheusTests {
    private static let folder = PackageFolder.url.appending(path: "deploy/prometheus")

    /// - Parameter input: a file that becomes its standard input.
    private func promtool(
      _ arguments: [String], input: String? = nil
    ) async throws -> (exit: ChildProcess.Exit, text: String) {
      let command = input == nil ? #"exec promtool "$@""# : #"exec promtool "$@" < "$0""#
      let process = try ChildProcess(
        "/bin/sh", arguments: ["-c", command, input ?? "promtool"] + arguments,
        currentFolder: Self.folder)
      let exit = try await process.waitForExit(timeout: .seconds(60))
      return (exit, process.text(of: .output) + process.text(of: .error))
    }

    @Test(arguments: [
      ["check", "config", "scrape.yaml"], ["check", "rules", "alerts.yaml"],
      ["test", "rules", "alerts_test.yaml"],
    ])
    func filesAreTaken(_ arguments: [String]) async throws {
      let (exit, text) = try await promtool(arguments)
      #expect(exit == .status(0), "\(text)")
      #expect(text.contains("SUCCESS"))
    }

    /// promtool runs the tests that there are; that there are some for each alert is seen here.
    @Test func eachAlertIsShownToFireAndNotToFire() throws {
      func text(_ name: String) throws -> String {
        try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
      }
      let alerts = try text("alerts.yaml").matches(of: /- alert: ([A-Za-z]+)/).map(\.output.1)
      #expect(alerts.count > 10)
      let tests = try text("alerts_test.yaml").split(separator: "  - name: ").dropFirst()
      for alert in alerts {
        let fires = tests.filter { $0.hasPrefix("\(alert) fires\n") }
        let not = tests.filter { $0.hasPrefix("\(alert) does not fire\n") }
        #expect(fires.count == 1 && not.count == 1, "\(alert)")
        #expect(
          fires.allSatisfy {
            $0.contains("alertname: \(alert)\n        exp_alerts:\n          - exp_labels:")
          })
        #expect(not.allSatisfy { $0.contains("alertname: \(alert), exp_alerts: []") })
        #expect(not.allSatisfy { !$0.contains("exp_labels") })
      }
    }

    @Test func whatTheRolesShowIsToPrometheusTaste() async throws {
      try await RunningSystem.run { system in
        let gateway = try await system.startGateway()
        let reply = try await gateway.curl(
          "/v1/rerank", json: #"{"model":"builtin","query":"q","documents":["a","b"]}"#)
        #expect(reply.status == 200)
        for role in ["queue", "w0", "gateway"] {
          let text = try await system.scrape(role)
          #expect(text.contains("# TYPE process_resident_memory_bytes gauge"))
          let file = try system.folder.write(text, to: "\(role).metrics")
          let (exit, complaints) = try await promtool(["check", "metrics"], input: file)
          #expect(exit == .status(0), "\(role): \(complaints)")
          #expect(complaints == "")
        }
      }
    }
  }
}
