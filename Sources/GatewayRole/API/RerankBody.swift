import RerankdClient
import RerankdProtocol

/// What a client wants reranked, whichever API it speaks: the rerank routes read their bodies into
/// this.
struct RerankBody {
  var model: String
  var query: ContentBody
  var documents: [ContentBody]
  var topN: Int?
  var instruction: String?
  var returnsDocuments = true
  var maxTokensPerDocument: Int?
  var overBudget: OverBudgetPolicy = .reject
  var documentFailure: DocumentFailurePolicy = .failJob
  var allowsFallback = false
  var priority = 0
  var attemptsMax: Int?

  /// The job that asks for it.
  ///
  /// - Throws: ``APIError`` for what would be too much.
  func job(documentsMax: Int) throws -> RerankJob {
    guard documents.count <= documentsMax else {
      throw APIError.tooManyDocuments(documents.count, max: documentsMax)
    }
    var request = RerankRequest()
    request.query = query.content
    request.documents = documents.map(\.content)
    request.topN = UInt32(clamping: topN ?? 0)
    request.instruction = instruction ?? ""
    request.overBudget = overBudget
    request.documentFailure = documentFailure
    request.maxTokensPerDoc = UInt32(clamping: maxTokensPerDocument ?? 0)
    var job = try RerankJob(request, model: model)
    job.spec.priority = Int32(clamping: priority)
    job.spec.maxAttempts = UInt32(clamping: attemptsMax ?? 0)
    job.spec.allowFallback = allowsFallback
    return job
  }
}

/// The body of `/v1/rerank`, of `/rerank` with `documents`, of `/v1/jobs` and of the budget: what
/// the hub, vLLM, Jina and llama.cpp have in common, and Rerankd's own options.
struct OpenRerankBody: Decodable {
  var body: RerankBody

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    body = RerankBody(
      model: try fields.name(.model), query: try fields.decode(ContentBody.self, forKey: .query),
      documents: try fields.documents(ContentBody.self, .documents))
    body.topN = try fields.count(.topN)
    body.instruction = try fields.decodeIfPresent(String.self, forKey: .instruction)
    body.returnsDocuments =
      try fields.decodeIfPresent(Bool.self, forKey: .returnDocuments) ?? true
    body.maxTokensPerDocument = try fields.count(.maxTokensPerDocument)
    if try fields.decodeIfPresent(Bool.self, forKey: .truncate) ?? false {
      body.overBudget = .truncate
    }
    body.overBudget =
      try fields.word(
        .overBudget, ["reject": .reject, "truncate": .truncate, "windows": .windows])
      ?? body.overBudget
    body.documentFailure =
      try fields.word(
        .documentFailure, ["fail_job": .failJob, "per_document": .perDocument]) ?? .failJob
    body.allowsFallback = try fields.decodeIfPresent(Bool.self, forKey: .allowFallback) ?? false
    body.priority = try fields.integer(.priority, in: -100...100) ?? 0
    body.attemptsMax = try fields.count(.attemptsMax)
  }

  enum CodingKeys: String, CodingKey {
    case model
    case query
    case documents
    case topN = "top_n"
    case instruction
    case returnDocuments = "return_documents"
    case maxTokensPerDocument = "max_tokens_per_doc"
    case truncate
    case overBudget = "over_budget"
    case documentFailure = "document_failure"
    case allowFallback = "allow_fallback"
    case priority
    case attemptsMax = "max_attempts"
  }
}

/// Cohere's `/v2/rerank`. Its long documents are shortened, by default to ``tokensPerDocument``
/// tokens, as that API does; the answer warns of each.
struct CohereRerankBody: Decodable {
  static let tokensPerDocument = 4_096

  var body: RerankBody

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: OpenRerankBody.CodingKeys.self)
    body = RerankBody(
      model: try fields.name(.model), query: try fields.decode(ContentBody.self, forKey: .query),
      documents: try fields.documents(ContentBody.self, .documents))
    body.topN = try fields.count(.topN)
    body.maxTokensPerDocument =
      try fields.count(.maxTokensPerDocument) ?? Self.tokensPerDocument
    body.overBudget = .truncate
  }
}

/// `/rerank`: TEI's body has `texts`, the others' have `documents`.
enum PlainRerankBody: Decodable {
  case open(RerankBody)
  /// The model is empty where the client named none.
  case tei(RerankBody)

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    guard fields.contains(.texts) else {
      self = .open(try OpenRerankBody(from: decoder).body)
      return
    }
    var body = RerankBody(
      model: try fields.decodeIfPresent(String.self, forKey: .model) ?? "",
      query: try fields.decode(ContentBody.self, forKey: .query),
      documents: try fields.documents(ContentBody.self, .texts))
    if try fields.decodeIfPresent(Bool.self, forKey: .truncate) ?? false {
      body.overBudget = .truncate
    }
    if try fields.decodeIfPresent(Bool.self, forKey: .rawScores) ?? false {
      throw DecodingError.dataCorruptedError(
        forKey: .rawScores, in: fields,
        debugDescription: "scores come as the model's description declares them; leave it out")
    }
    body.returnsDocuments = try fields.decodeIfPresent(Bool.self, forKey: .returnText) ?? false
    self = .tei(body)
  }

  private enum CodingKeys: String, CodingKey {
    case model
    case query
    case texts
    case truncate
    case rawScores = "raw_scores"
    case returnText = "return_text"
  }
}

extension KeyedDecodingContainer {
  fileprivate func name(_ key: Key) throws -> String {
    let name = try decode(String.self, forKey: key)
    guard !name.isEmpty else { throw wrong(key, "is empty") }
    return name
  }

  fileprivate func documents<Element: Decodable>(
    _ type: Element.Type, _ key: Key
  ) throws -> [Element] {
    let documents = try decode([Element].self, forKey: key)
    guard !documents.isEmpty else { throw wrong(key, "needs at least one document") }
    return documents
  }

  /// At least 1.
  fileprivate func count(_ key: Key) throws -> Int? {
    try integer(key, in: 1...Int(Int32.max))
  }

  fileprivate func integer(_ key: Key, in range: ClosedRange<Int>) throws -> Int? {
    guard contains(key), try !decodeNil(forKey: key) else { return nil }
    // The decoder's own error about a fraction does not name the field.
    guard let value = try? decode(Int.self, forKey: key), range.contains(value) else {
      throw wrong(
        key, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  fileprivate func word<Value>(_ key: Key, _ known: [String: Value]) throws -> Value? {
    guard let word = try decodeIfPresent(String.self, forKey: key) else { return nil }
    guard let value = known[word] else {
      throw wrong(key, "must be one of \(known.keys.sorted().joined(separator: ", "))")
    }
    return value
  }

  private func wrong(_ key: Key, _ message: String) -> DecodingError {
    .dataCorruptedError(forKey: key, in: self, debugDescription: message)
  }
}
