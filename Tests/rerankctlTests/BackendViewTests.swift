import Foundation
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import rerankctl

struct BackendViewTests {
  private var resting: BackendStatus {
    .with {
      $0.name = "hub"
      $0.state = .resting
      $0.reason = "it answered 503"
      $0.restingMs = 65_000
      $0.models = ["a", "b"]
      $0.requestsUnderWay = 2
      $0.requestsWaiting = 7
      $0.requestsPerMinuteMax = 60
      $0.concurrentRequestsMax = 3
      $0.requests = 100
      $0.unavailable = 5
    }
  }

  @Test func tableSaysWhyABackendRestsAndForHowLong() {
    let text = BackendView.table([BackendView(resting)]).text()
    #expect(text.contains("hub"))
    #expect(text.contains("resting"))
    #expect(text.contains("for 1 min 5 s: it answered 503"))
    #expect(text.contains("60 requests/min, 3 at once"))
  }

  @Test func openBackendWithoutLimitsSaysSo() {
    let open = BackendStatus.with {
      $0.name = "hub"
      $0.state = .open
    }
    let view = BackendView(open)
    #expect(view.reason == nil && view.restingMs == nil)
    #expect(view.requestsPerMinuteMax == nil && view.tokensPerMinuteMax == nil)
    #expect(BackendView.table([view]).text().contains("none"))
  }

  @Test func statusListsBackendsForProgramsAndPeople() throws {
    let status = StatusResponse.with { $0.backends = [resting] }
    let view = StatusView(status)
    #expect(text(view).contains("BACKEND"))
    let json = try JSONSerialization.jsonObject(
      with: Data(Printer.json(view, pretty: false).utf8))
    let backends = (json as? [String: Any])?["backends"] as? [[String: Any]]
    #expect(backends?.first?["state"] as? String == "resting")
    #expect(backends?.first?["resting_ms"] as? Int == 65_000)
    #expect(!text(StatusView(StatusResponse())).contains("BACKEND"))
  }

  private func text(_ view: StatusView) -> String {
    var queue = WatchedQueue(endpoint: "ipc://queue")
    _ = queue.take(QueueReading(endpoint: "ipc://queue", status: view), at: .now)
    return StatusReport(queue: queue).text
  }
}
