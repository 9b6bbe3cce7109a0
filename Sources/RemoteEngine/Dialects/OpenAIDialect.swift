import Foundation
import Scoring

/// The rerank API of hosted hubs and of vLLM: `{model, query, documents, instruction?}`. A query or
/// a document with images takes vLLM's shape, `{content: [{type, text | image_url}]}`. Where raw
/// scores are to be answered, vLLM's `use_activation` says so.
struct OpenAIDialect: RerankDialect {
  let rerankPath = "/v1/rerank"
  let listingPath = "/v1/models"

  func encode(_ request: DialectRequest) throws(EngineError) -> [UInt8] {
    var documents: [ContentBody] = []
    documents.reserveCapacity(request.documents.count)
    for index in request.documents.indices {
      documents.append(
        try content(request.documents[index], field: request.field(index), of: request))
    }
    return try request.json(
      Body(
        model: request.model.servedName,
        query: try content(request.query, field: "query", of: request), documents: documents,
        instruction: request.instruction,
        useActivation: request.answeredScoreKind == .raw ? false : nil))
  }

  private func content(
    _ content: RerankContent, field: String, of request: DialectRequest
  ) throws(EngineError) -> ContentBody {
    guard content.hasImages else { return .text(content.text) }
    try request.refuseImages(content, field)
    var parts: [PartBody] = []
    for (index, part) in content.parts.enumerated() {
      switch part {
      case .text(let text): parts.append(.text(text))
      case .imageURL(let url): parts.append(.imageURL(url))
      case .imageData(let data):
        let type = try ImageFormat.mediaType(of: data, field: "\(field).parts[\(index)]")
        parts.append(.imageURL("data:\(type);base64,\(Data(data).base64EncodedString())"))
      }
    }
    return .parts(parts)
  }

  private struct Body: Encodable {
    var model: String
    var query: ContentBody
    var documents: [ContentBody]
    var instruction: String?
    var useActivation: Bool?

    enum CodingKeys: String, CodingKey {
      case model, query, documents, instruction
      case useActivation = "use_activation"
    }
  }

  private enum ContentBody: Encodable {
    case text(String)
    case parts([PartBody])

    enum CodingKeys: CodingKey { case content }

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .text(let text):
        var container = encoder.singleValueContainer()
        try container.encode(text)
      case .parts(let parts):
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(parts, forKey: .content)
      }
    }
  }

  private enum PartBody: Encodable {
    case text(String)
    case imageURL(String)

    enum CodingKeys: String, CodingKey {
      case type, text
      case imageURL = "image_url"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      switch self {
      case .text(let text):
        try container.encode("text", forKey: .type)
        try container.encode(text, forKey: .text)
      case .imageURL(let url):
        try container.encode("image_url", forKey: .type)
        try container.encode(["url": url], forKey: .imageURL)
      }
    }
  }
}
