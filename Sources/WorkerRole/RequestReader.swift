import Foundation
import RerankdProtocol
import Scoring
import SwiftProtobuf

/// Reads a job's request and refuses what no engine could make sense of. Empty texts, images and
/// sizes in tokens are the budget's to judge.
enum RequestReader {
  /// - Throws: ``EngineError`` INVALID_ARGUMENT that names the field.
  static func read(_ bytes: Data, documentsMax: Int) throws(EngineError) -> RerankRequest {
    let request: RerankRequest
    do {
      request = try RerankRequest(serializedBytes: bytes)
    } catch {
      throw invalid("request: is not a serialized RerankRequest (\(error))")
    }
    guard request.hasQuery else { throw invalid("query: is missing") }
    guard request.documents.count <= documentsMax else {
      throw invalid(
        "documents: there are \(request.documents.count); this worker takes \(documentsMax)")
    }
    if case .UNRECOGNIZED(let value) = request.overBudget {
      throw invalid("over_budget: \(value) is no policy that this worker knows")
    }
    if case .UNRECOGNIZED(let value) = request.documentFailure {
      throw invalid("document_failure: \(value) is no policy that this worker knows")
    }
    try check(request.query, field: "query")
    for (index, document) in request.documents.enumerated() {
      try check(document, field: "documents[\(index)]")
    }
    return request
  }

  /// Of content that was checked.
  static func content(_ content: Content) -> RerankContent {
    RerankContent(
      parts: content.parts.compactMap { part in
        switch part.kind {
        case .text(let text): .text(text)
        case .image(let image):
          switch image.source {
          case .data(let data): .imageData(Array(data))
          case .url(let url): .imageURL(url)
          case nil: nil
          }
        case nil: nil
        }
      })
  }

  private static func check(_ content: Content, field: String) throws(EngineError) {
    for (index, part) in content.parts.enumerated() {
      switch part.kind {
      case .text: continue
      case .image(let image) where image.source != nil: continue
      case .image, nil:
        throw invalid("\(field).parts[\(index)]: has neither a text nor an image")
      }
    }
  }

  private static func invalid(_ message: String) -> EngineError {
    EngineError(code: .invalidArgument, message: message, isRetryable: false)
  }
}
