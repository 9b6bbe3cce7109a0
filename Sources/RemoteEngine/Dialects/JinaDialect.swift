import Foundation
import Scoring

/// Jina's rerank API: `{model, query, documents: [text | {image}], return_documents}`. An image is
/// a URL or the file in base64, and has a document to itself.
struct JinaDialect: RerankDialect {
  let rerankPath = "/v1/rerank"
  let listingPath = "/v1/models"

  func encode(_ request: DialectRequest) throws(EngineError) -> [UInt8] {
    try request.refuseInstruction("jina")
    guard !request.query.hasImages else {
      throw .invalid("query: the jina API takes a text as the query, and this has an image.")
    }
    var documents: [DocumentBody] = []
    documents.reserveCapacity(request.documents.count)
    for index in request.documents.indices {
      documents.append(
        try document(request.documents[index], field: request.field(index), of: request))
    }
    return try request.json(
      Body(
        model: request.model.servedName, query: request.query.text, documents: documents,
        returnDocuments: false))
  }

  private func document(
    _ content: RerankContent, field: String, of request: DialectRequest
  ) throws(EngineError) -> DocumentBody {
    guard content.hasImages else { return .text(content.text) }
    try request.refuseImages(content, field)
    guard content.parts.count == 1, let part = content.parts.first else {
      throw .invalid("\(field): the jina API takes a text or one image a document, not both.")
    }
    switch part {
    case .text(let text):
      return .text(text)
    case .imageURL(let url):
      // The file alone is wanted of a data: URL.
      let data = url.hasPrefix("data:") ? url.firstIndex(of: ",") : nil
      return .image(data.map { String(url[url.index(after: $0)...]) } ?? url)
    case .imageData(let data):
      _ = try ImageFormat.mediaType(of: data, field: "\(field).parts[0]")
      return .image(Data(data).base64EncodedString())
    }
  }

  private struct Body: Encodable {
    var model: String
    var query: String
    var documents: [DocumentBody]
    var returnDocuments: Bool

    enum CodingKeys: String, CodingKey {
      case model, query, documents
      case returnDocuments = "return_documents"
    }
  }

  private enum DocumentBody: Encodable {
    case text(String)
    case image(String)

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .image(let image): try container.encode(["image": image])
      }
    }
  }
}
