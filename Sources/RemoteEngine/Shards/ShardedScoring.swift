import Scoring
import Synchronization

/// One attempt at one job: its requests, as many at a time as the backend takes.
struct ShardedScoring: Sendable {
  let backend: RemoteBackend
  let counter: any TokenCounter
  let job: RemoteBackend.Job
  let request: ScoringRequest
  private let costs: [DocumentCost]
  private let requestBytes: Int
  private let bisectionRequests = BisectionBudget()

  init(
    _ request: ScoringRequest, by backend: RemoteBackend, counter: any TokenCounter,
    for job: RemoteBackend.Job
  ) {
    self.request = request
    self.backend = backend
    self.counter = counter
    self.job = job
    let configuration = backend.configuration
    // Exact counts take time, and nobody needs them where tokens have no limit.
    let isCounted =
      configuration.requestTokensMax != nil || configuration.tokensPerMinute != nil
    func tokens(_ text: String) -> Int {
      isCounted ? counter.count(text) : counter.countMax(text)
    }
    let beyondDocument =
      tokens(request.query.text) + request.query.imageTokens
      + (request.instruction.map(tokens) ?? 0) + job.model.reservedTokens
    costs = request.documents.map {
      DocumentCost(
        tokens: beyondDocument + tokens($0.text) + $0.imageTokens, bytes: $0.jsonBytes)
    }
    requestBytes = request.query.jsonBytes + (request.instruction?.utf8.count ?? 0)
  }

  /// - Parameter limits: what a request may hold by what is known; what is learned goes back.
  /// - Throws: ``EngineError`` with what was scored; `CancellationError`.
  func run(limits: inout ShardLimits) async throws -> ScoringResult {
    var plan = ShardPlan(
      costs: costs, requestBytes: requestBytes, limits: limits, isListwise: job.model.isListwise)
    defer { limits = plan.limits }
    await withTaskGroup { group in
      while true {
        while plan.underWay < backend.configuration.concurrentRequestsMax,
          let range = plan.next()
        {
          group.addTask { await score(range) }
        }
        guard let outcome = await group.next() else { break }
        plan.record(outcome)
        if plan.isLost { group.cancelAll() }
      }
    }
    try Task.checkCancellation()
    return try plan.result(model: job.model)
  }

  private func score(_ range: Range<Int>) async -> ShardOutcome {
    var outcome = ShardOutcome(range: range, end: .done)
    do {
      try await rank(range, into: &outcome)
    } catch let failure as RequestFailure {
      outcome.end = await end(after: failure, of: range, &outcome)
    } catch {
      outcome.end = Self.end(error)
    }
    return outcome
  }

  private static func end(_ error: any Error) -> ShardOutcome.End {
    switch error {
    case let error as EngineError: .failed(error)
    case let failure as RequestFailure: .failed(failure.error)
    case is CancellationError: .cancelled
    default:
      .failed(
        EngineError(code: .internal, message: "A request failed: \(error)", isRetryable: true))
    }
  }

  /// One request for a part of the job.
  private func rank(
    _ range: Range<Int>, known: RequestFailure? = nil, into outcome: inout ShardOutcome
  ) async throws {
    let body = try backend.encode(
      query: request.query, documents: request.documents[range], instruction: request.instruction,
      for: job)
    let bytesMax = backend.configuration.requestBytesMax
    guard body.count <= bytesMax else {
      throw RequestFailure(
        error: .invalid(
          "The request to the backend \"\(backend.configuration.name)\" would have \(body.count) "
            + "bytes, of at most \(bytesMax) (request_bytes_max)."),
        blame: .tooManyBytes)
    }
    let ranked = try await backend.rank(
      body, documentCount: range.count, tokens: costs[range].reduce(0) { $0 + $1.tokens },
      known: known, for: job)
    for (index, score) in zip(range, ranked.scores) { outcome.scores[index] = score }
    outcome.usages.append(ranked.usage)
    outcome.model = ranked.model
  }
}

// What can be done about a request that failed.
extension ShardedScoring {
  private func end(
    after failure: RequestFailure, of range: Range<Int>, _ outcome: inout ShardOutcome
  ) async -> ShardOutcome.End {
    guard !job.model.isListwise else { return .failed(failure.error) }
    do {
      switch failure.blame {
      case .backend, .request:
        throw failure
      case .tooManyDocuments, .tooManyBytes:
        if range.count > 1 { return .tooLarge(failure) }
        try convict(range.lowerBound, failure.error, &outcome)
      case .document:
        guard range.count > 1 else {
          try convict(range.lowerBound, failure.error, &outcome)
          break
        }
        // To name the document is worth requests only where the others are to be scored.
        guard request.isolatesFailures else { throw failure }
        try await bisect(range, failure, &outcome)
      case .unclear:
        guard range.count > 1 else { throw failure }
        try await examine(range, failure, &outcome)
      }
      return .done
    } catch {
      return Self.end(error)
    }
  }

  /// A backend that fails alike again, while it ranks the golden pair, fails because of the
  /// documents.
  private func examine(
    _ range: Range<Int>, _ failure: RequestFailure, _ outcome: inout ShardOutcome
  ) async throws {
    try await confirmHealth(orThrow: failure)
    do {
      try await rank(range, known: failure, into: &outcome)
    } catch let again as RequestFailure {
      guard again.isSame(as: failure) else { throw again }
      try await bisect(range, failure, &outcome)
    }
  }

  private func confirmHealth(orThrow failure: RequestFailure) async throws {
    do {
      _ = try await GoldenPair.score(by: backend, counter: counter, for: job)
    } catch is RequestFailure {
      throw failure
    }
  }

  private func bisect(
    _ range: Range<Int>, _ failure: RequestFailure, _ outcome: inout ShardOutcome
  ) async throws {
    var bisection = Bisection(range)
    while let part = bisection.next() {
      guard bisectionRequests.take(of: backend.configuration.bisectionRequestsMax) else {
        throw failure
      }
      var found = failure
      do {
        try await rank(part, known: failure, into: &outcome)
        bisection.record(failed: false)
      } catch let partial as RequestFailure {
        guard partial.isSame(as: failure) || partial.blame == .document else { throw partial }
        found = partial
        bisection.record(failed: true)
      }
      guard bisection.culprits.last == part.lowerBound, part.count == 1 else { continue }
      // Where everything failed, it may be the backend after all.
      if found.blame == .unclear, outcome.scores.isEmpty {
        try await confirmHealth(orThrow: failure)
      }
      try convict(part.lowerBound, found.error, &outcome)
    }
  }

  /// - Throws: ``EngineError``, final and naming the document, unless failures are to be isolated.
  private func convict(
    _ index: Int, _ error: EngineError, _ outcome: inout ShardOutcome
  ) throws(EngineError) {
    let error = EngineError(
      code: error.code, message: "document \(index) cannot be scored: \(error.message)",
      isRetryable: false)
    guard request.isolatesFailures else { throw error }
    outcome.failures.append(DocumentFailure(index: index, error: error))
  }
}

/// What all parts of an attempt may spend on finding culprits.
private final class BisectionBudget: Sendable {
  private let spent = Atomic(0)

  func take(of limit: Int) -> Bool {
    spent.wrappingAdd(1, ordering: .relaxed).newValue <= limit
  }
}

extension RerankContent {
  /// An image counts as the most that one can cost, where its file does not say what it does.
  fileprivate var imageTokens: Int {
    parts.reduce(0) { sum, part in
      let header: ImageHeader?
      switch part {
      case .text: return sum
      case .imageData(let data): header = try? ImageHeader(parsing: data)
      case .imageURL(let url):
        header = url.hasPrefix("data:") ? try? ImageHeader(dataURL: url) : nil
      }
      return sum
        + (header.map { ImageTokens.count(width: $0.displayWidth, height: $0.displayHeight) }
          ?? ImageTokens.tokensMax)
    }
  }

  /// About as many bytes as it takes in a request; what is exact is seen when the request is
  /// written.
  fileprivate var jsonBytes: Int {
    parts.reduce(16) { sum, part in
      switch part {
      case .text(let text): sum + text.utf8.count + 16
      case .imageData(let data): sum + data.count / 3 * 4 + 80
      case .imageURL(let url): sum + url.utf8.count + 48
      }
    }
  }
}
