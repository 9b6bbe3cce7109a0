/// What a process does with a new configuration: which changes hold at once, and which wait for its
/// next start. The annotated file marks the keys that hold at once.
package struct ReloadPlan: Sendable, Equatable {
  package struct Change: Sendable, Equatable, CustomStringConvertible {
    package var key: String
    package var former: String?
    package var value: String?
    /// Where the new value was said.
    package var origin: SettingOrigin

    package var description: String {
      "\(key): \(former ?? "none") → \(value ?? "none")"
    }
  }

  package var applied: [Change] = []
  package var needsRestart: [Change] = []

  /// Changes of keys that the role does not read are in neither list.
  package init(from former: [Setting], to new: [Setting], role: ConfigurationRole) {
    let old = Dictionary(former.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
    let now = Dictionary(new.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
    let keys = new.map(\.key) + former.map(\.key).filter { now[$0] == nil }
    for key in keys where old[key]?.value != now[key]?.value {
      guard role.reads(key) else { continue }
      let change = Change(
        key: key, former: old[key]?.value, value: now[key]?.value,
        origin: now[key]?.origin ?? .builtInDefault)
      if role.takesAtOnce(key) { applied.append(change) } else { needsRestart.append(change) }
    }
  }
}

extension ConfigurationRole {
  /// Of the keys that the role reads, those that it takes while it runs.
  func takesAtOnce(_ key: String) -> Bool {
    Self.matches(key, live)
  }

  func reads(_ key: String) -> Bool {
    Self.matches(key, ["log", "tracing"] + sections) && !Self.matches(key, unread)
  }

  private var sections: [String] {
    switch self {
    case .queue: ["models", "backends", "queue"]
    case .worker: ["models", "backends", "worker"]
    case .gateway: ["models", "gateway"]
    case .supervisor: ["up"]
    }
  }

  /// What the role's sections hold for others alone.
  private var unread: [String] {
    switch self {
    case .queue:
      Self.backendKeys.map { "backends[].\($0)" }
        + Self.engineKeys.map { "models[].\($0)" }
    case .worker:
      ["requests_per_minute", "tokens_per_minute"].map { "backends[].\($0)" }
    case .gateway, .supervisor: []
    }
  }

  private var live: [String] {
    switch self {
    case .queue:
      [
        "log.level", "queue.admission", "queue.retries", "queue.replies",
        "queue.jobs.deadline_default", "queue.jobs.attempts_default", "queue.workers.workers_max",
        "queue.workers.lease", "queue.workers.lost_max", "queue.workers.release_rest",
        "backends[].concurrent_requests_max", "backends[].requests_per_minute",
        "backends[].tokens_per_minute",
      ]
        + [
          "failures_in_a_row_max", "failure_percent_max", "requests_min", "requests_window", "rest",
          "rest_cap", "rest_max", "credentials_rest", "permit_held_max", "permits_waiting_max",
        ].map { "queue.backends.\($0)" }
    case .worker, .gateway: ["log.level"]
    case .supervisor: ["log.level", "up.workers", "up.workers_max", "up.crashes_max"]
    }
  }

  private static let backendKeys = [
    "base_url", "dialect", "token_env", "token_file", "documents_max", "request_tokens_max",
    "request_bytes_max", "response_bytes_max", "bisection_requests_max", "connect_timeout",
    "response_timeout", "credentials_pause", "credentials_poll", "golden_pair_pause", "tls",
    "proxy",
  ]
  private static let engineKeys = [
    "served_name", "tokenizer_folder", "answered_name", "score_kind", "answered_scores", "listwise",
    "golden_pair",
  ]

  /// Whether a key is one of the patterns' or lies below it; "[]" stands for any entry of a list.
  private static func matches(_ key: String, _ patterns: [String]) -> Bool {
    let plain = key.replacing(/\[\d+\]/, with: "[]")
    return patterns.contains { pattern in
      guard plain.hasPrefix(pattern) else { return false }
      let rest = plain.dropFirst(pattern.count)
      return rest.isEmpty || rest.first == "." || rest.first == "["
    }
  }
}
