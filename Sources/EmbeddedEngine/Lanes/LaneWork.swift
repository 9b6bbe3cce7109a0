import Scoring
import Tokenization

/// What one lane keeps between batches, and how it scores one.
struct LaneWork {
  /// What a batch holds of one job.
  struct Part {
    let job: ScoringJob
    let documents: ArraySlice<Int>
    /// Asked before each pair; throws what ends the job.
    let continuing: () throws -> Void
    /// Told the scores of some of the documents, or what ended the job, as soon as they are known.
    let found: (Result<[Scored], any Error>) -> Void
  }

  struct Scored {
    /// Its number in the job.
    var document: Int
    var logit: Float
    var tokenCount: Int
  }

  private let batchTokensMax: Int
  private let prefixes: PrefixCache
  private let onBatch: @Sendable (EmbeddedEngine.Batch) -> Void
  private var batch = TokenBatch()
  /// Whose the pairs in ``batch`` are.
  private var owners: [(part: Int, document: Int)] = []
  /// Bytes of the prefixes that ``batch`` reads.
  private var prefixBytes = 0
  private var scratch = FloatBuffer(count: 0)

  init(
    batchTokensMax: Int, prefixes: PrefixCache,
    onBatch: @escaping @Sendable (EmbeddedEngine.Batch) -> Void = { _ in }
  ) {
    self.batchTokensMax = batchTokensMax
    self.prefixes = prefixes
    self.onBatch = onBatch
  }

  /// Encodes and scores the pairs of parts for one model: all at once, if they are no more tokens
  /// than they were taken for.
  mutating func score(_ parts: [Part]) {
    for index in parts.indices {
      do {
        try append(parts, index)
      } catch {
        // Pairs of it that are in the batch already stay there, and nobody waits for their logits.
        parts[index].found(.failure(error))
      }
    }
    scoreBatch(parts)
  }

  private mutating func append(_ parts: [Part], _ index: Int) throws {
    let part = parts[index]
    let job = part.job
    try part.continuing()
    let query = job.model.encoder.query(job.query.text, instruction: job.instruction)
    let prefix = try prefix(of: job, query) { [owners] in
      Self.reportProgress(parts, Set(owners.map(\.part)).union([index]))
    }
    let bytes = (prefix?.tokens.count ?? 0) * job.model.network.prefixBytesPerToken
    if prefixBytes + bytes > prefixes.bytesMax { scoreBatch(parts) }
    prefixBytes += bytes
    for document in part.documents {
      try part.continuing()
      let pair = try job.model.encoder.pair(query, document: job.documents[document].text)
      let tokenCount = pair.ids.count
      guard tokenCount <= job.model.contextTokens else {
        throw EngineError(
          code: .invalidArgument,
          message: "document \(job.documents[document].places[0]) and the query take "
            + "\(tokenCount) tokens; model \(job.model.name) reads \(job.model.contextTokens)",
          isRetryable: false)
      }
      let own = tokenCount - (prefix?.count(sharedWith: pair.ids) ?? 0)
      if batch.tokenCount + own > batchTokensMax { scoreBatch(parts) }
      batch.appendPair(after: prefix) { $0.append(pair) }
      owners.append((index, document))
    }
  }

  /// What all pairs of the job begin with, where that can be computed by itself.
  private mutating func prefix(
    of job: ScoringJob, _ query: PairEncoder.Query, progress: () -> Void
  ) throws -> SharedPrefix? {
    guard job.sharesPrefix else { return nil }
    let common = try job.commonBeginning.tokens { try Self.commonBeginning(of: job, query) }
    return prefixes.prefix(
      ofPairsBeginningWith: common, model: job.model, progress: progress
    ) { floats in
      grow(to: floats)
      return scratch
    }
  }

  /// Empty where it is beyond the context, as every pair is then.
  private static func commonBeginning(
    of job: ScoringJob, _ query: PairEncoder.Query
  ) throws -> [Int32] {
    let encoder = job.model.encoder
    var common: ArraySlice<Int32>?
    if job.model.network.sharedPart == .query {
      common = try encoder.pair(query, document: "").querySegment
    } else {
      // Another look at every document is nothing beside what a decoder then does with them.
      for document in job.documents {
        let ids = try encoder.pair(query, document: document.text).ids
        common = common.map { ids.prefix(zip($0, ids).prefix { $0 == $1 }.count) } ?? ids[...]
      }
    }
    guard let common, common.count <= job.model.contextTokens else { return [] }
    return Array(common)
  }

  private mutating func grow(to floats: Int) {
    if scratch.count < floats { scratch = FloatBuffer(count: floats) }
  }

  /// Scores what is in the batch, and empties it.
  private mutating func scoreBatch(_ parts: [Part]) {
    defer {
      batch.removeAll()
      owners.removeAll(keepingCapacity: true)
      prefixBytes = 0
    }
    guard let model = owners.first.map({ parts[$0.part].job.model }) else { return }
    let inBatch = Set(owners.map(\.part))
    grow(to: model.network.scratchFloats(for: batch))
    // Where a batch can take longer than a job's lease lives, each layer counts.
    let isLong = batch.tokenCount > batchTokensMax || model.network.sharedPart == .beginning
    let logits = model.network.logits(of: batch, scratch: scratch) { _, _ in
      if isLong { Self.reportProgress(parts, inBatch) }
    }
    Self.reportProgress(parts, inBatch)
    onBatch(
      EmbeddedEngine.Batch(
        pairs: owners.count, tokens: batch.tokenCount, tokensMax: batchTokensMax))
    var scored: [Int: [Scored]] = [:]
    for (pair, owner) in owners.enumerated() {
      scored[owner.part, default: []].append(
        Scored(
          document: owner.document, logit: logits[pair], tokenCount: batch.tokenCount(ofPair: pair))
      )
    }
    for (part, scored) in scored { parts[part].found(Self.checked(scored, parts[part].job)) }
  }

  private static func reportProgress(_ parts: [Part], _ indices: Set<Int>) {
    for index in indices.sorted() { parts[index].job.progress() }
  }

  private static func checked(
    _ scored: [Scored], _ job: ScoringJob
  ) -> Result<[Scored], any Error> {
    guard let broken = scored.first(where: { !$0.logit.isFinite }) else { return .success(scored) }
    return .failure(
      EngineError(
        code: .internal,
        message:
          "document \(job.documents[broken.document].places[0]) got a score that is no number "
          + "from model \(job.model.name): its weights are broken",
        isRetryable: false))
  }
}
