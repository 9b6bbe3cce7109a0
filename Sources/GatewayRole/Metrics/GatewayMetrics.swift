import CoreMetrics
import NIOCore
import Synchronization

/// What a gateway tells of its requests, through swift-metrics. Series are bounded: there is one for
/// each route and status that was answered.
final class GatewayMetrics: Sendable {
  private struct Key: Hashable {
    var route: String
    var status: Int
  }

  private struct Handlers {
    var requests: [Key: Counter] = [:]
    var durations: [String: CoreMetrics.Timer] = [:]
  }

  private let factory: any MetricsFactory
  private let inFlight: Gauge
  private let bodyBytes: Gauge
  /// Kept, since each request uses them.
  private let handlers = Mutex(Handlers())

  init(_ factory: any MetricsFactory) {
    self.factory = factory
    inFlight = Gauge(label: "rerankd_gateway_requests_in_flight", factory: factory)
    bodyBytes = Gauge(label: "rerankd_gateway_body_bytes", factory: factory)
  }

  func answered(route: String, status: Int, after duration: Duration) {
    let (requests, durations) = handlers.withLock { handlers in
      let key = Key(route: route, status: status)
      let requests =
        handlers.requests[key]
        ?? Counter(
          label: "rerankd_gateway_requests_total",
          dimensions: [("route", route), ("status", "\(status)")], factory: factory)
      let durations =
        handlers.durations[route]
        ?? CoreMetrics.Timer(
          label: "rerankd_gateway_request_duration_seconds", dimensions: [("route", route)],
          factory: factory)
      handlers.requests[key] = requests
      handlers.durations[route] = durations
      return (requests, durations)
    }
    requests.increment()
    durations.recordNanoseconds(TimeAmount(duration).nanoseconds)
  }

  func record(requestsInFlight: Int, bodyBytes: Int) {
    inFlight.record(requestsInFlight)
    self.bodyBytes.record(bodyBytes)
  }
}
