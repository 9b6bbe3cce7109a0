import Scoring

/// What a document adds to a request.
struct DocumentCost: Sendable, Equatable {
  /// Of its pair with the query, prompt included.
  var tokens: Int
  /// About as many as its JSON has.
  var bytes: Int
}

/// What a request may hold.
struct ShardLimits: Sendable, Equatable {
  var documentsMax: Int
  var tokensMax = Int.max
  var bytesMax = Int.max
}

/// What became of one part of a job.
struct ShardOutcome: Sendable {
  enum End: Sendable {
    /// All that could be scored is.
    case done
    /// To be sent in smaller parts: it was more than a request can hold.
    case tooLarge(RequestFailure)
    case failed(EngineError)
    case cancelled
  }

  var range: Range<Int>
  var end: End
  var scores: [Int: DocumentScore] = [:]
  /// Documents that cannot be scored.
  var failures: [DocumentFailure] = []
  /// One for each request that brought scores; nil where the backend told none.
  var usages: [TokenUsage?] = []
  /// As the backend names it.
  var model: String?
}

/// Cuts a job into requests, and puts together what comes of them. Pure: it sends nothing.
///
/// A part is to be sent, then under way, then done; one that is too large is cut in two and to be
/// sent again. After a failure nothing more is to be sent, and what is under way is awaited, since
/// it is paid for; unless the failure is final, so that nobody will ever ask for the scores.
struct ShardPlan {
  /// How often parts may prove too large: enough to come down from the largest job to one document,
  /// with parts of the old size still under way.
  static let tooLargeMax = 64

  /// What a request may hold, by all that is known by now.
  private(set) var limits: ShardLimits
  private let costs: [DocumentCost]
  private let requestBytes: Int
  private let isListwise: Bool
  private var waiting: [Range<Int>]
  private(set) var underWay = 0
  private var tooLargeCount = 0
  private var failure: EngineError?
  private var merged: ShardOutcome

  /// - Parameter requestBytes: of a request without documents.
  init(
    costs: [DocumentCost], requestBytes: Int, limits: ShardLimits, isListwise: Bool
  ) {
    self.costs = costs
    self.requestBytes = requestBytes
    self.limits = limits
    self.isListwise = isListwise
    waiting = [costs.indices]
    merged = ShardOutcome(range: costs.indices, end: .done)
  }

  /// Whether what is under way is of no use to anybody.
  var isLost: Bool { failure.map { !$0.isRetryable } ?? false }

  /// The part to send next; nil when nothing is to be sent.
  mutating func next() -> Range<Int>? {
    guard failure == nil, !waiting.isEmpty else { return nil }
    let range = waiting.removeFirst()
    let part = range.lowerBound..<(isListwise ? range.upperBound : end(of: range))
    if part.upperBound < range.upperBound {
      waiting.insert(part.upperBound..<range.upperBound, at: 0)
    }
    underWay += 1
    return part
  }

  /// Where a part that begins with the range has to end; never before its first document's end.
  private func end(of range: Range<Int>) -> Int {
    var tokens = 0
    var bytes = requestBytes
    for index in range {
      tokens += costs[index].tokens
      bytes += costs[index].bytes
      let fits =
        index - range.lowerBound < limits.documentsMax && tokens <= limits.tokensMax
        && bytes <= limits.bytesMax
      if !fits, index > range.lowerBound { return index }
    }
    return range.upperBound
  }

  mutating func record(_ outcome: ShardOutcome) {
    underWay -= 1
    merged.scores.merge(outcome.scores) { $1 }
    merged.failures += outcome.failures
    merged.usages += outcome.usages
    merged.model = merged.model ?? outcome.model
    switch outcome.end {
    case .done, .cancelled:
      break
    case .failed(let error):
      fail(error)
    case .tooLarge(let refusal):
      let range = outcome.range
      tooLargeCount += 1
      guard !isListwise, range.count > 1, tooLargeCount <= Self.tooLargeMax else {
        fail(refusal.error)
        return
      }
      let middle = range.lowerBound + range.count / 2
      waiting.insert(contentsOf: [range.lowerBound..<middle, middle..<range.upperBound], at: 0)
      // The parts still to be cut are spared the same answer.
      if refusal.blame == .tooManyDocuments {
        limits.documentsMax = min(limits.documentsMax, range.count / 2)
      } else {
        let bytes = costs[range].reduce(requestBytes) { $0 + $1.bytes }
        limits.bytesMax = min(limits.bytesMax, bytes / 2)
      }
    }
  }

  private mutating func fail(_ error: EngineError) {
    // A final failure says more than one that another attempt may heal.
    if failure == nil || (!isLost && !error.isRetryable) { failure = error }
  }

  /// - Throws: ``EngineError`` with the scores that are there, when others are missing.
  func result(
    model: RemoteEngineConfiguration.Model
  ) throws(EngineError) -> ScoringResult {
    let usage = merged.usages.contains { $0 == nil } ? nil : merged.usages.compactMap { $0 }.sum
    let name = merged.model ?? model.servedName
    let isWhole = merged.scores.count + merged.failures.count == costs.count
    if var failure = failure ?? (isWhole ? nil : .givenUp) {
      if !merged.scores.isEmpty {
        failure.partialScores = PartialScores(
          scores: merged.scores, scoreKind: model.scoreKind, model: name, usage: usage)
      }
      throw failure
    }
    var result = ScoringResult(
      scores: costs.indices.compactMap { merged.scores[$0] }, usage: usage, model: name,
      scoreKind: model.scoreKind, precision: nil)
    result.failures = merged.failures.sorted { $0.index < $1.index }
    return result
  }
}

extension EngineError {
  /// A request was cancelled although the job was not.
  fileprivate static let givenUp = EngineError(
    code: .unavailable, message: "A request was given up before it was answered.",
    isRetryable: true, spendsAttempt: false)
}

extension [TokenUsage] {
  /// nil for none.
  fileprivate var sum: TokenUsage? {
    guard var sum = first else { return nil }
    for usage in dropFirst() {
      sum.promptTokens += usage.promptTokens
      sum.totalTokens += usage.totalTokens
    }
    return sum
  }
}
