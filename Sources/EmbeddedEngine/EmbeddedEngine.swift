import Foundation
public import Scoring
import Tokenization

/// Scores pairs on this machine's cores with cross-encoders in memory.
///
/// A call to ``score(_:progress:)`` becomes a `ScoringJob`, which waits in the `JobLine`.
/// `LanePool` has one thread a core. A free lane fills one batch with documents of the job that has
/// waited longest for its turn and, where there is room, of those behind it; encodes their pairs,
/// runs the model (a `CrossEncoderNetwork`) over all of them at once and writes down their logits
/// (`LaneWork`). So many small jobs share a batch, a large one spreads over all lanes, and none
/// waits for another to end. A score depends on the pair alone, bit for bit: not on its batch, its
/// lane or its neighbours. Documents of a job that are the same are scored once. What its pairs
/// have in common is computed once (`PrefixCache`): with a decoder what they begin with, with a
/// segmented model, as the built-in one is, the query.
///
/// A model (``EmbeddedModel``) is a Hugging Face folder or the file inside the binary; both are a
/// `WeightSource`, from which the network takes its tensors by name; a `PackedLinear` packs them
/// for the kernels in C (`CEngineKernels`).
public final class EmbeddedEngine: RerankEngine {
  public let name = "embedded"
  private let modelsByName: [String: EmbeddedModel]
  private let modelList: [EngineModel]
  private let pool: LanePool

  /// One batch that a lane has scored.
  public struct Batch: Sendable, Equatable {
    public var pairs: Int
    public var tokens: Int
    /// ``EmbeddedEngineConfiguration/chunkTokensMax``.
    public var tokensMax: Int
  }

  /// Starts the lanes; they end when the engine goes.
  ///
  /// - Parameter onBatch: told of each batch, by the lane that scored it.
  /// - Throws: ``EmbeddedEngineError`` for a limit out of range, no model, or one name for two.
  public init(
    models: [EmbeddedModel],
    configuration: EmbeddedEngineConfiguration = EmbeddedEngineConfiguration(),
    onBatch: @escaping @Sendable (Batch) -> Void = { _ in }
  ) throws {
    try configuration.validate()
    guard !models.isEmpty else {
      throw EmbeddedEngineError(
        code: .invalidConfiguration, message: "the embedded engine has no model")
    }
    var byName: [String: EmbeddedModel] = [:]
    for model in models {
      guard byName.updateValue(model, forKey: model.name) == nil else {
        throw EmbeddedEngineError(
          code: .invalidConfiguration,
          message: "two models of the embedded engine are named \(model.name)")
      }
    }
    modelsByName = byName
    modelList = models.map { model in
      EngineModel(
        name: model.name, contextTokens: model.contextTokens,
        reservedTokens: model.reservedTokens, acceptsImages: false)
    }
    pool = LanePool(configuration: configuration, onBatch: onBatch)
  }

  deinit {
    pool.stop()
  }

  public func models() -> [EngineModel] { modelList }

  /// Calls to ``score(_:progress:)`` that wait or are being scored.
  public var jobsUnderWay: Int { pool.jobsUnderWay }

  public func tokenCounter(forModel model: String) -> any TokenCounter {
    guard let model = modelsByName[model] else {
      preconditionFailure("no model \(model) in this engine: callers choose from models()")
    }
    return model.tokenizer
  }

  public func score(
    _ request: ScoringRequest, progress: @escaping @Sendable () -> Void
  ) async throws -> ScoringResult {
    guard let model = modelsByName[request.model] else {
      throw EngineError(
        code: .notFound,
        message: "the embedded engine has no model \(request.model); it has "
          + modelList.map(\.name).joined(separator: ", "),
        isRetryable: false)
    }
    try check(request)
    let job = ScoringJob(model: model, request: request, progress: progress)
    let output = try await pool.run(job)
    return ScoringResult(
      scores: output.logits.map { model.scoreKind.score(ofLogit: $0) },
      usage: TokenUsage(
        promptTokens: output.tokenCount, totalTokens: output.tokenCount, estimated: false),
      model: model.name, scoreKind: model.scoreKind, precision: model.network.precision.rawValue)
  }

  private func check(_ request: ScoringRequest) throws {
    func invalid(_ message: String) -> EngineError {
      EngineError(code: .invalidArgument, message: message, isRetryable: false)
    }
    guard !request.documents.isEmpty else { throw invalid("there is no document to score") }
    guard !request.query.hasImages else {
      throw invalid("the query has an image, and model \(request.model) reads text only")
    }
    if let index = request.documents.firstIndex(where: \.hasImages) {
      throw invalid("document \(index) has an image, and model \(request.model) reads text only")
    }
  }
}

extension ScoreKind {
  func score(ofLogit logit: Float) -> DocumentScore {
    let relevance =
      switch self {
      case .sigmoid: 1 / (1 + exp(-logit))
      case .raw: logit
      }
    return DocumentScore(relevanceScore: relevance, rankingKey: logit)
  }
}
