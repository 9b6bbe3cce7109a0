import Scoring
import Tokenization

/// What one lane keeps between chunks, and how it scores one.
struct LaneWork {
  struct Scored {
    var document: Int
    var logit: Float
    var tokenCount: Int
  }

  private let batchTokensMax: Int
  private let prefixes: PrefixCache
  private var batch = TokenBatch()
  private var scratch = FloatBuffer(count: 0)

  init(batchTokensMax: Int, prefixes: PrefixCache) {
    self.batchTokensMax = batchTokensMax
    self.prefixes = prefixes
  }

  /// Encodes and scores the chunk's pairs, as many at once as the limit lets.
  ///
  /// - Parameters:
  ///   - continuing: asked before each batch; throws what ends the job.
  mutating func score(
    _ chunk: [Int], of job: ScoringJob, continuing: () throws -> Void
  ) throws -> [Scored] {
    // A chunk that ended in an error may have left pairs behind, whose logits are nobody's.
    batch.removeAll()
    let encoder = job.model.encoder
    let query = encoder.query(job.query.text, instruction: job.instruction)
    let prefix = try prefix(of: job, query)
    var scored: [Scored] = []
    scored.reserveCapacity(chunk.count)
    var waiting: [Int] = []
    for index in chunk {
      let pair = try encoder.pair(query, document: job.documents[index].text)
      let tokenCount = pair.ids.count
      guard tokenCount <= job.model.contextTokens else {
        throw EngineError(
          code: .invalidArgument,
          message: "document \(index) and the query take \(tokenCount) tokens; model "
            + "\(job.model.name) reads \(job.model.contextTokens)",
          isRetryable: false)
      }
      let own = tokenCount - (prefix?.count(sharedWith: pair.ids) ?? 0)
      if !waiting.isEmpty, batch.tokenCount + own > batchTokensMax {
        try continuing()
        scored += try scoreBatch(of: waiting, job: job)
        waiting.removeAll()
      }
      batch.appendPair(after: prefix) { $0.append(pair) }
      waiting.append(index)
    }
    try continuing()
    scored += try scoreBatch(of: waiting, job: job)
    return scored
  }

  /// What all pairs of the job begin with, where that is worth computing by itself. Finding it takes
  /// another look at every document, which is nothing beside what a decoder then does with them.
  private mutating func prefix(
    of job: ScoringJob, _ query: PairEncoder.Query
  ) throws -> SharedPrefix? {
    guard job.model.network.prefixBytesPerToken > 0, job.documents.count > 1 else { return nil }
    let common = try job.commonBeginning.tokens {
      var common: ArraySlice<Int32>?
      for document in job.documents {
        let ids = try job.model.encoder.pair(query, document: document.text).ids
        common = common.map { ids.prefix(zip($0, ids).prefix { $0 == $1 }.count) } ?? ids[...]
      }
      return Array(common?.prefix(job.model.contextTokens) ?? [])
    }
    return prefixes.prefix(
      ofPairsBeginningWith: common, model: job.model, progress: job.progress
    ) { floats in
      grow(to: floats)
      return scratch
    }
  }

  private mutating func grow(to floats: Int) {
    if scratch.count < floats { scratch = FloatBuffer(count: floats) }
  }

  private mutating func scoreBatch(of documents: [Int], job: ScoringJob) throws -> [Scored] {
    let network = job.model.network
    grow(to: network.scratchFloats(for: batch))
    // Where a batch can take longer than a job's lease lives, each layer counts.
    let isLong = batch.tokenCount > batchTokensMax || network.prefixBytesPerToken > 0
    let logits = network.logits(of: batch, scratch: scratch) { _, _ in
      if isLong { job.progress() }
    }
    let scored = documents.indices.map { pair in
      Scored(
        document: documents[pair], logit: logits[pair],
        tokenCount: batch.sharedCount(ofPair: pair) + batch.bounds[pair + 1] - batch.bounds[pair])
    }
    batch.removeAll()
    if let broken = scored.first(where: { !$0.logit.isFinite }) {
      throw EngineError(
        code: .internal,
        message: "document \(broken.document) got a score that is no number from model "
          + "\(job.model.name): its weights are broken",
        isRetryable: false)
    }
    job.progress()
    return scored
  }
}
