import Foundation
import Scoring

/// How one rerank API is spoken. What it answers to a request that fails is read alike in all of
/// them (``ServerSentence``), and means what ``FailureTable`` says.
protocol RerankDialect: Sendable {
  var rerankPath: String { get }
  /// Where the backend lists its models.
  var listingPath: String { get }
  /// What the scores are that it sends, whatever is wanted; nil where it sends what is declared.
  var answeredScoreKind: ScoreKind? { get }

  /// - Throws: ``EngineError`` INVALID_ARGUMENT for what this API has no words for.
  func encode(_ request: DialectRequest) throws(EngineError) -> [UInt8]

  /// - Throws: `DecodingError` for what is no ranking.
  func decodeRanking(_ body: Data) throws -> Ranking

  /// - Throws: `DecodingError` for what is no list of models.
  func decodeListing(_ body: Data) throws -> ModelListing
}

extension RerankDialect {
  var answeredScoreKind: ScoreKind? { nil }

  func decodeRanking(_ body: Data) throws -> Ranking {
    try JSONDecoder().decode(RankingBody.self, from: body).ranking
  }

  func decodeListing(_ body: Data) throws -> ModelListing {
    let list = try JSONDecoder().decode(ListingBody.self, from: body)
    return ModelListing(names: Set(list.data.map(\.id)))
  }
}

private struct ListingBody: Decodable {
  struct Entry: Decodable { var id: String }
  var data: [Entry]
}

/// One request in no API's words yet. How many of the results are wanted is never said: parts of a
/// job are ranked together when all are there.
struct DialectRequest: Sendable {
  var model: RemoteEngineConfiguration.Model
  var answeredScoreKind: ScoreKind
  var query: RerankContent
  var documents: ArraySlice<RerankContent>
  var instruction: String?
}

/// The models of a backend, and what it says that it takes.
struct ModelListing: Sendable, Equatable {
  var names: Set<String>
  /// Documents of one request.
  var documentsMax: Int?
  /// Tokens of one pair.
  var contextTokens: Int?
}

extension RemoteEngineConfiguration.DialectName {
  var dialect: any RerankDialect {
    switch self {
    case .openai: OpenAIDialect()
    case .cohere: CohereDialect()
    case .jina: JinaDialect()
    case .tei: TEIDialect()
    case .llama: LlamaDialect()
    }
  }
}

extension RemoteEngineConfiguration {
  func answeredScoreKind(of model: Model) -> ScoreKind {
    model.answeredScoreKind ?? dialect.dialect.answeredScoreKind ?? model.scoreKind
  }
}

extension DialectRequest {
  func json(_ body: some Encodable) throws(EngineError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(body))
    } catch {
      throw .invalid("The request cannot be written as JSON: \(error).")
    }
  }

  /// For APIs whose model takes no instruction.
  func refuseInstruction(_ dialect: String) throws(EngineError) {
    guard instruction == nil else {
      throw .invalid("instruction: the \(dialect) API has no field for one; submit without it.")
    }
  }

  /// For APIs that take nothing but text.
  func texts() throws(EngineError) -> (query: String, documents: [String]) {
    func text(_ content: RerankContent, _ field: String) throws(EngineError) -> String {
      try refuseImages(content, field)
      guard !content.hasImages else {
        throw .invalid("\(field): the backend's API has no shape for an image.")
      }
      return content.text
    }
    var texts: [String] = []
    texts.reserveCapacity(documents.count)
    for index in documents.indices { texts.append(try text(documents[index], field(index))) }
    return (try text(query, "query"), texts)
  }

  func field(_ index: Int) -> String { "documents[\(index)]" }

  func refuseImages(_ content: RerankContent, _ field: String) throws(EngineError) {
    guard !content.hasImages || model.acceptsImages else {
      throw .invalid(
        "\(field): the model \"\(model.name)\" takes text only, and this has an image.")
    }
  }
}

extension EngineError {
  static func invalid(_ message: String) -> EngineError {
    EngineError(code: .invalidArgument, message: message, isRetryable: false)
  }
}
