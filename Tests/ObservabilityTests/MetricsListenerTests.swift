import AsyncHTTPClient
import CoreMetrics
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Observability

@Suite struct MetricsListenerTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func withListener(
    _ health: RoleHealth = RoleHealth(), _ body: @Sendable (_ port: Int) async throws -> Void
  ) async throws {
    let port = Mutex<Int?>(nil)
    let registry = MetricsRegistry(catalogue: [])
    Counter(label: "x_total", factory: registry).increment()
    let listener = MetricsListener(
      MetricsListenerConfiguration(host: "127.0.0.1", port: 0),
      exposition: Exposition(registry, role: "worker", version: "1"), health: health,
      logger: Self.quiet
    ) { bound in port.withLock { $0 = bound } }
    try await withService(listener) {
      try await body(try await eventualValue("the port") { port.withLock { $0 } })
    }
  }

  private func get(_ path: String, _ port: Int) async throws -> (Int, String, String?) {
    let response = try await HTTPClient.shared.execute(
      HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)"), timeout: .seconds(10))
    let body = try await response.body.collect(upTo: 1 << 20)
    return (
      Int(response.status.code), String(buffer: body),
      response.headers.first(name: "content-type")
    )
  }

  @Test func metricsAreServedAsPrometheusWantsThem() async throws {
    try await withListener { port in
      let (status, text, type) = try await get("/metrics", port)
      #expect(status == 200)
      #expect(type == "text/plain; version=0.0.4; charset=utf-8")
      #expect(text.contains("\nx_total 1\n"))
    }
  }

  @Test func healthIsServedWithItsReason() async throws {
    let health = RoleHealth(hindrance: { "no queue" })
    try await withListener(health) { port in
      let live = try await get("/health/live", port)
      #expect(live.0 == 200 && live.1 == #"{"status":"live"}"#)
      let ready = try await get("/health/ready", port)
      #expect(ready.0 == 503 && ready.1.contains("no queue"))
      #expect(try await get("/elsewhere", port).0 == 404)
    }
  }

  @Test func takenPortIsAWarningAndNotTheEnd() async throws {
    let warnings = Mutex<[String]>([])
    let logger = Logger(label: "test") { label in
      JSONLogHandler(label: label) { line in warnings.withLock { $0.append(line) } }
    }
    try await withListener { port in
      let second = MetricsListener(
        MetricsListenerConfiguration(host: "127.0.0.1", port: port),
        exposition: Exposition(MetricsRegistry(), role: "worker", version: "1"),
        health: RoleHealth(), logger: logger)
      try await withService(second) {
        try await eventually("the warning") {
          warnings.withLock { $0.contains { $0.contains("metrics.listen") } }
        }
      }
      #expect(try await get("/health/live", port).0 == 200)
    }
  }

  private func read(_ text: String) -> MetricsListenerConfiguration? {
    var configuration = MetricsListenerConfiguration(host: nil, port: 0)
    return configuration.setListen(text) ? configuration : nil
  }

  @Test(arguments: ["127.0.0.1:7881", "[::1]:9", "localhost:0", "off"])
  func addressIsReadAndWrittenAlike(_ text: String) {
    #expect(read(text)?.listen == text)
    #expect(read(text)?.firstProblem == nil)
  }

  @Test(arguments: ["7881", ":1", "host:99999", "host:", ""])
  func whatIsNoAddressIsRefused(_ text: String) {
    #expect(read(text) == nil)
  }

  @Test func othersThanThisMachineReadOnlyWhenAllowed() {
    var configuration = MetricsListenerConfiguration(host: "0.0.0.0", port: 1)
    #expect(configuration.firstProblem?.key == "listen")
    configuration.insecure = true
    #expect(configuration.firstProblem == nil)
  }
}
