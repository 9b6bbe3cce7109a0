import RerankdProtocol

/// What the rerank routes answer. Texts come from the request: results store positions and scores.
struct OpenRerankAnswer: Encodable {
  struct Result: Encodable {
    var index: Int
    var document: Document?
    var relevanceScore: Float

    enum CodingKeys: String, CodingKey {
      case index
      case document
      case relevanceScore = "relevance_score"
    }
  }

  struct Document: Encodable {
    var text: String
  }

  struct Usage: Encodable {
    var promptTokens: UInt64
    var totalTokens: UInt64
    /// Counted by an estimate from above, not by the model's tokenizer.
    var estimated: Bool

    enum CodingKeys: String, CodingKey {
      case promptTokens = "prompt_tokens"
      case totalTokens = "total_tokens"
      case estimated
    }
  }

  struct Failure: Encodable {
    var index: Int
    var message: String
  }

  struct Windows: Encodable {
    var index: Int
    var windows: Int
    var bestWindow: Int
    var bestStartByte: UInt64
    var bestEndByte: UInt64

    enum CodingKeys: String, CodingKey {
      case index
      case windows
      case bestWindow = "best_window"
      case bestStartByte = "best_start_byte"
      case bestEndByte = "best_end_byte"
    }
  }

  /// The job's.
  var id: String
  var object = "list"
  /// As the client asked for it; the fallback's own name where one scored.
  var model: String
  var results: [Result]
  var usage: Usage
  /// "embedded", or the backend's name, and what it calls the model.
  var engine: String
  var servedModel: String
  var scoreKind: String
  var precision: String?
  var truncatedDocuments: [Int]?
  var failedDocuments: [Failure]?
  var windowedDocuments: [Windows]?

  enum CodingKeys: String, CodingKey {
    case id
    case object
    case model
    case results
    case usage
    case engine
    case servedModel = "served_model"
    case scoreKind = "score_kind"
    case precision
    case truncatedDocuments = "truncated_documents"
    case failedDocuments = "failed_documents"
    case windowedDocuments = "windowed_documents"
  }
}

extension OpenRerankAnswer {
  /// - Parameters:
  ///   - model: the name that the client asked for.
  ///   - documents: the request's; nil where their texts are not given back.
  init(_ result: RerankResult, id: JobID, model: String, documents: [Content]?) {
    self.init(
      id: "\(id)", model: model,
      results: result.results.map { ranked in
        let index = Int(ranked.index)
        return Result(
          index: index,
          document: documents.map { Document(text: $0[index].joinedText) },
          relevanceScore: ranked.relevanceScore)
      },
      usage: Usage(
        promptTokens: result.usage.promptTokens, totalTokens: result.usage.totalTokens,
        estimated: result.usage.estimated),
      engine: result.engine, servedModel: result.model, scoreKind: result.scoreKind,
      precision: result.precision.isEmpty ? nil : result.precision)
    truncatedDocuments = result.truncatedDocuments.map { Int($0) }.nilIfEmpty
    failedDocuments =
      result.failedDocuments.map { Failure(index: Int($0.index), message: $0.message) }.nilIfEmpty
    windowedDocuments =
      result.windowedDocuments.map {
        Windows(
          index: Int($0.index), windows: Int($0.windows), bestWindow: Int($0.bestWindow),
          bestStartByte: $0.bestStartByte, bestEndByte: $0.bestEndByte)
      }.nilIfEmpty
  }
}

extension Array {
  fileprivate var nilIfEmpty: Self? { isEmpty ? nil : self }
}

/// TEI answers with an array alone.
struct TEIRank: Encodable {
  var index: Int
  var score: Float
  var text: String?
}

/// Cohere's second version.
struct CohereRerankAnswer: Encodable {
  struct Result: Encodable {
    var index: Int
    var relevanceScore: Float

    enum CodingKeys: String, CodingKey {
      case index
      case relevanceScore = "relevance_score"
    }
  }

  struct Meta: Encodable {
    struct Version: Encodable {
      var version = "2"
    }

    struct BilledUnits: Encodable {
      var searchUnits: Int

      enum CodingKeys: String, CodingKey {
        case searchUnits = "search_units"
      }
    }

    struct Tokens: Encodable {
      var inputTokens: UInt64

      enum CodingKeys: String, CodingKey {
        case inputTokens = "input_tokens"
      }
    }

    var apiVersion = Version()
    var billedUnits: BilledUnits
    var tokens: Tokens
    var warnings: [String]?

    enum CodingKeys: String, CodingKey {
      case apiVersion = "api_version"
      case billedUnits = "billed_units"
      case tokens
      case warnings
    }
  }

  /// Of the documents of one search unit, as that API bills them.
  static let documentsPerSearchUnit = 100

  var id: String
  var results: [Result]
  var meta: Meta

  init(_ result: RerankResult, id: JobID, documentCount: Int) {
    self.id = "\(id)"
    results = result.results.map {
      Result(index: Int($0.index), relevanceScore: $0.relevanceScore)
    }
    let units = (documentCount + Self.documentsPerSearchUnit - 1) / Self.documentsPerSearchUnit
    meta = Meta(
      billedUnits: .init(searchUnits: units), tokens: .init(inputTokens: result.usage.promptTokens))
    if !result.truncatedDocuments.isEmpty {
      let indices = result.truncatedDocuments.map { "\($0)" }.joined(separator: ", ")
      meta.warnings = ["documents were shortened to fit: \(indices)"]
    }
  }
}
