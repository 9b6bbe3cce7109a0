import RerankdProtocol

/// A remote backend, as it is printed.
struct BackendView: Encodable {
  var name: String
  var state: String
  var reason: String?
  var restingMs: UInt64?
  var models: [String]
  var requestsUnderWay: UInt32
  var requestsWaiting: UInt32
  var requestsPerMinuteMax: UInt32?
  var tokensPerMinuteMax: UInt64?
  var concurrentRequestsMax: UInt32?
  var requests: UInt64
  var tokens: UInt64
  var credentialsRefused: UInt64
  var rateLimited: UInt64
  var unavailable: UInt64

  init(_ backend: BackendStatus) {
    name = backend.name
    state = backend.state.word
    reason = backend.reason.nonEmpty
    restingMs = backend.restingMs.nonZero
    models = backend.models
    requestsUnderWay = backend.requestsUnderWay
    requestsWaiting = backend.requestsWaiting
    requestsPerMinuteMax = backend.requestsPerMinuteMax.nonZero
    tokensPerMinuteMax = backend.tokensPerMinuteMax.nonZero
    concurrentRequestsMax = backend.concurrentRequestsMax.nonZero
    requests = backend.requests
    tokens = backend.tokens
    credentialsRefused = backend.credentialsRefused
    rateLimited = backend.rateLimited
    unavailable = backend.unavailable
  }

  static func table(_ backends: [BackendView]) -> TextTable {
    var table = TextTable([
      ("BACKEND", .left), ("STATE", .left), ("UNDER WAY", .right), ("WAITING", .right),
      ("REQUESTS", .right), ("TOKENS", .right), ("401", .right), ("429", .right),
      ("FAILED", .right), ("LIMITS", .left), ("NOTE", .left),
    ])
    for backend in backends {
      table.append([
        .init(backend.name), .init(backend.state, backend.style), "\(backend.requestsUnderWay)",
        "\(backend.requestsWaiting)", .init(Quantity.count(backend.requests)),
        .init(Quantity.count(backend.tokens)), "\(backend.credentialsRefused)",
        "\(backend.rateLimited)", "\(backend.unavailable)", .init(backend.limits),
        .init(backend.note),
      ])
    }
    return table
  }

  private var style: TextStyle {
    switch state {
    case BackendState.open.word: .good
    case BackendState.credentialsRefused.word: .bad
    default: .waiting
    }
  }

  private var limits: String {
    let limits = [
      requestsPerMinuteMax.map { "\($0) requests/min" },
      tokensPerMinuteMax.map { "\($0) tokens/min" },
      concurrentRequestsMax.map { "\($0) at once" },
    ]
    let known = limits.compactMap { $0 }
    return known.isEmpty ? "none" : known.joined(separator: ", ")
  }

  private var note: String {
    guard let reason else { return "" }
    return restingMs.map { "for \(Quantity.time(milliseconds: $0)): \(reason)" } ?? reason
  }
}

extension BackendState {
  /// As commands print it.
  var word: String {
    switch self {
    case .open: "open"
    case .resting: "resting"
    case .probing: "probing"
    case .credentialsRefused: "credentials refused"
    case .paused: "paused"
    case .unspecified, .UNRECOGNIZED: "unknown"
    }
  }
}
