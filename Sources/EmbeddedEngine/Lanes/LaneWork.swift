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
  private var batch = TokenBatch()
  private var scratch = FloatBuffer(count: 0)

  init(batchTokensMax: Int) {
    self.batchTokensMax = batchTokensMax
  }

  /// Encodes and scores the chunk's pairs, as many at once as the limit lets.
  ///
  /// - Parameters:
  ///   - continuing: asked before each batch; throws what ends the job.
  mutating func score(
    _ chunk: [Int], of job: ScoringJob, continuing: () throws -> Void
  ) throws -> [Scored] {
    let tokenizer = job.model.tokenizer
    let query = tokenizer.encode(job.query.text)
    var scored: [Scored] = []
    scored.reserveCapacity(chunk.count)
    var waiting: [Int] = []
    for index in chunk {
      let document = tokenizer.encode(job.documents[index].text)
      let tokenCount = query.count + document.count + tokenizer.pairOverhead
      guard tokenCount <= job.model.contextTokens else {
        throw EngineError(
          code: .invalidArgument,
          message: "document \(index) and the query take \(tokenCount) tokens; model "
            + "\(job.model.name) reads \(job.model.contextTokens)",
          isRetryable: false)
      }
      if !waiting.isEmpty, batch.tokenCount + tokenCount > batchTokensMax {
        try continuing()
        scored += try scoreBatch(of: waiting, job: job)
        waiting.removeAll()
      }
      batch.appendPair { tokenizer.appendPair(query: query, document: document, to: &$0) }
      waiting.append(index)
    }
    try continuing()
    scored += try scoreBatch(of: waiting, job: job)
    return scored
  }

  private mutating func scoreBatch(of documents: [Int], job: ScoringJob) throws -> [Scored] {
    let network = job.model.network
    let floats = network.scratchFloats(for: batch)
    if scratch.count < floats { scratch = FloatBuffer(count: floats) }
    let logits = network.logits(of: batch, scratch: scratch)
    let scored = documents.indices.map { pair in
      Scored(
        document: documents[pair], logit: logits[pair],
        tokenCount: batch.bounds[pair + 1] - batch.bounds[pair])
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
