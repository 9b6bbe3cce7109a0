import Synchronization

/// What `/metrics` tells, in Prometheus' text format. Series are bounded: there is one for each
/// route and status that was answered.
final class GatewayMetrics: Sendable {
  private struct Key: Hashable {
    var route: String
    var status: Int
  }

  private struct State {
    var requests: [Key: UInt64] = [:]
    var durations: [String: LatencyHistogram] = [:]
  }

  private let state = Mutex(State())

  func record(route: String, status: Int, duration: Duration) {
    state.withLock { state in
      state.requests[Key(route: route, status: status), default: 0] += 1
      state.durations[route, default: LatencyHistogram()].record(duration)
    }
  }

  /// - Parameter inFlight: requests worked on now.
  func text(inFlight: Int) -> String {
    let state = state.withLock { $0 }
    var lines = [
      "# HELP rerankd_gateway_requests_total Requests answered, by route and status.",
      "# TYPE rerankd_gateway_requests_total counter",
    ]
    for (key, count) in state.requests.sorted(by: {
      ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status)
    }) {
      lines.append(
        #"rerankd_gateway_requests_total{route="\#(key.route)",status="\#(key.status)"} \#(count)"#)
    }
    lines += [
      "# HELP rerankd_gateway_request_duration_seconds From a request's headers to its answer.",
      "# TYPE rerankd_gateway_request_duration_seconds histogram",
    ]
    for (route, histogram) in state.durations.sorted(by: { $0.key < $1.key }) {
      lines += histogram.lines(
        name: "rerankd_gateway_request_duration_seconds", labels: #"route="\#(route)""#)
    }
    lines += [
      "# HELP rerankd_gateway_requests_in_flight Requests worked on now.",
      "# TYPE rerankd_gateway_requests_in_flight gauge",
      "rerankd_gateway_requests_in_flight \(inFlight)",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}
