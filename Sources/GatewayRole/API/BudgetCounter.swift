import Dispatch
import HTTPTypes
public import Scoring

/// A model of the catalogue and how its tokens are counted.
public struct CountedModel: Sendable {
  public var model: EngineModel
  public var counter: any TokenCounter

  public init(model: EngineModel, counter: any TokenCounter) {
    self.model = model
    self.counter = counter
  }
}

/// Counts what requests would cost. The gateway knows no engine: who starts it says how a model's
/// tokens are counted. Counting takes threads of its own, since a long text keeps one busy.
public struct BudgetCounter: Sendable {
  public typealias Find = @Sendable (_ model: String) throws -> CountedModel?

  private let find: Find
  private let queue = DispatchQueue(label: "rerankd.gateway.budget", attributes: .concurrent)

  /// - Parameter find: nil for a model that is not in the catalogue. It may read files, and is
  ///   called from several threads.
  public init(_ find: @escaping Find) {
    self.find = find
  }

  func count(_ body: RerankBody) async throws -> BudgetAnswer {
    try await withCheckedThrowingContinuation { continuation in
      queue.async {
        continuation.resume(with: Result { try answer(body) })
      }
    }
  }

  private func answer(_ body: RerankBody) throws -> BudgetAnswer {
    guard let counted = try find(body.model) else { throw APIError.unknownModel(body.model) }
    let budget = TokenBudget(
      model: counted.model, counter: counted.counter, policy: .init(body.overBudget),
      documentTokensMax: body.maxTokensPerDocument)
    let request = ScoringRequest(
      model: body.model, query: .init(body.query.content),
      documents: body.documents.map { .init($0.content) }, instruction: body.instruction)
    do throws(EngineError) {
      let documents = try budget.check(request).documents()
      let usage = UInt64(documents.tokens)
      return BudgetAnswer(
        model: body.model, contextTokens: counted.model.contextTokens,
        reservedTokens: counted.model.reservedTokens,
        documents: documents.map { document in
          BudgetAnswer.Document(
            index: document.index, tokens: document.tokens, fits: document.fits,
            truncated: document.isTruncated ? true : nil, message: document.message)
        },
        usage: .init(
          promptTokens: usage, totalTokens: usage,
          estimated: counted.counter.isEstimate))
    } catch {
      throw APIError(
        status: .unprocessableContent, type: "invalid_request_error", message: error.message,
        code: "invalid_argument")
    }
  }
}

/// What `/v1/tokenize/budget` answers.
struct BudgetAnswer: Encodable {
  struct Document: Encodable {
    var index: Int
    /// Of the pair: query, document, images and the model's prompt. Absent where nothing can be
    /// counted.
    var tokens: Int?
    /// Whether it can be scored as the request asks for.
    var fits: Bool
    var truncated: Bool?
    /// Why it does not fit.
    var message: String?
  }

  var object = "rerank.budget"
  var model: String
  var contextTokens: Int
  var reservedTokens: Int
  var documents: [Document]
  /// Of the documents that fit.
  var usage: OpenRerankAnswer.Usage

  enum CodingKeys: String, CodingKey {
    case object
    case model
    case contextTokens = "context_tokens"
    case reservedTokens = "reserved_tokens"
    case documents
    case usage
  }
}
