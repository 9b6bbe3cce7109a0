import Foundation
import Scoring

/// The rerank API of hosted hubs and of vLLM: `GET /v1/models`, and `POST /v1/rerank` with
/// `{model, query, documents, top_n, instruction?}`. Documents with images take vLLM's shape,
/// `{content: [{type, text | image_url}]}`.
enum OpenAIDialect {
  static let modelsPath = "/v1/models"
  static let rerankPath = "/v1/rerank"

  /// - Throws: ``EngineError`` INVALID_ARGUMENT for an image on a model that takes none, or one whose
  ///   format is unknown.
  static func encode(_ request: ScoringRequest, for model: RemoteEngineConfiguration.Model) throws
    -> [UInt8]
  {
    let body = RerankBody(
      model: model.servedName,
      query: try content(request.query, field: "query", model: model),
      documents: try request.documents.enumerated().map { index, document in
        try content(document, field: "documents[\(index)]", model: model)
      },
      // Said plainly, since some servers return fewer results unless told how many.
      topN: request.documents.count,
      instruction: request.instruction)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(body))
    } catch {
      throw EngineError(
        code: .invalidArgument, message: "The request cannot be written as JSON: \(error).",
        isRetryable: false)
    }
  }

  /// The ids of a list of models, or nil when the body is no such list.
  static func modelIDs(in body: [UInt8]) -> Set<String>? {
    struct List: Decodable {
      struct Entry: Decodable { var id: String }
      var data: [Entry]
    }
    guard let list = try? JSONDecoder().decode(List.self, from: Data(body)) else { return nil }
    return Set(list.data.map(\.id))
  }

  private static func content(
    _ content: RerankContent, field: String, model: RemoteEngineConfiguration.Model
  ) throws -> ContentBody {
    guard content.hasImages else { return .text(content.text) }
    guard model.acceptsImages else {
      throw EngineError(
        code: .invalidArgument,
        message: "\(field): the model \"\(model.name)\" takes text only, and this has an image.",
        isRetryable: false)
    }
    return .parts(
      try content.parts.enumerated().map { index, part in
        switch part {
        case .text(let text): return .text(text)
        case .imageURL(let url): return .imageURL(url)
        case .imageData(let data):
          guard let type = ImageFormat.mediaType(of: data) else {
            throw EngineError(
              code: .invalidArgument,
              message: "\(field).parts[\(index)]: the image is neither PNG, JPEG, GIF nor WebP.",
              isRetryable: false)
          }
          return .imageURL("data:\(type);base64,\(Data(data).base64EncodedString())")
        }
      })
  }
}

private struct RerankBody: Encodable {
  var model: String
  var query: ContentBody
  var documents: [ContentBody]
  var topN: Int
  var instruction: String?

  enum CodingKeys: String, CodingKey {
    case model, query, documents, instruction
    case topN = "top_n"
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

/// What the first bytes of an image file say it is.
enum ImageFormat {
  static func mediaType(of data: [UInt8]) -> String? {
    if data.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "image/png" }
    if data.starts(with: [0xFF, 0xD8, 0xFF]) { return "image/jpeg" }
    if data.starts(with: "GIF87a".utf8) || data.starts(with: "GIF89a".utf8) { return "image/gif" }
    if data.starts(with: "RIFF".utf8), data.dropFirst(8).starts(with: "WEBP".utf8) {
      return "image/webp"
    }
    return nil
  }
}
