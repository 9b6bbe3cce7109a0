import Foundation
import RerankdProtocol
import SwiftProtobuf

/// A job's request as `submit` takes it (``JobLine``), so that what was exported can be submitted
/// again.
struct JobLineView: Encodable {
  var query: ContentView
  var documents: [ContentView]
  var model: String
  var topN: UInt32?
  var instruction: String?
  var tenant: String
  var priority: Int32
  var idempotencyKey: String?
  var replyChannel: String?
  var replyTo: String?
  var notBeforeMs: UInt64?
  var deadlineMs: UInt64?
  var maxAttempts: UInt32?
  var allowFallback: Bool
  var maxTokensPerDoc: UInt32?
  var overBudget: String
  var documentFailure: String

  /// - Throws: when what the queue has is no request.
  init(_ details: JobDetails) throws {
    let request: RerankRequest
    do {
      request = try RerankRequest(serializedBytes: details.request)
    } catch {
      throw CallError(
        .dataLoss, "the request of job \(JobID(rawValue: details.jobID)) cannot be read: \(error)")
    }
    let spec = details.spec
    query = ContentView(request.query)
    documents = request.documents.map(ContentView.init)
    model = spec.model
    topN = request.topN.nonZero
    instruction = request.instruction.nonEmpty
    tenant = spec.tenant
    priority = spec.priority
    idempotencyKey = spec.idempotencyKey.nonEmpty
    replyChannel = spec.replyChannel.nonEmpty
    replyTo = spec.replyTo.nonEmpty
    notBeforeMs = spec.notBeforeMs.nonZero
    deadlineMs = spec.deadlineMs.nonZero
    maxAttempts = spec.maxAttempts.nonZero
    allowFallback = spec.allowFallback
    maxTokensPerDoc = request.maxTokensPerDoc.nonZero
    overBudget =
      OverBudgetWord.allCases.first { $0.policy == request.overBudget }?.rawValue ?? "reject"
    documentFailure =
      DocumentFailureWord.allCases.first { $0.policy == request.documentFailure }?.rawValue
      ?? "fail_job"
  }
}

/// A query or a document as ``ContentInput`` reads it.
struct ContentView: Encodable {
  private let parts: [Part]

  init(_ content: Content) {
    parts = content.parts
  }

  private enum Keys: String, CodingKey {
    case content, text, imageUrl
  }

  func encode(to encoder: any Encoder) throws {
    if parts.count == 1, case .text(let text)? = parts[0].kind {
      var container = encoder.singleValueContainer()
      return try container.encode(text)
    }
    var container = encoder.container(keyedBy: Keys.self)
    var list = container.nestedUnkeyedContainer(forKey: .content)
    for part in parts {
      var object = list.nestedContainer(keyedBy: Keys.self)
      switch part.kind {
      case .text(let text)?: try object.encode(text, forKey: .text)
      case .image(let image)?: try object.encode(Self.url(image), forKey: .imageUrl)
      case nil: try object.encode("", forKey: .text)
      }
    }
  }

  private static func url(_ image: Image) -> String {
    guard image.url.isEmpty else { return image.url }
    return "data:\(mediaType(image.data));base64,\(image.data.base64EncodedString())"
  }

  /// By the bytes that each format begins with.
  private static func mediaType(_ data: Data) -> String {
    let formats: [(beginning: [UInt8], type: String)] = [
      ([0x89, 0x50, 0x4E, 0x47], "image/png"), ([0xFF, 0xD8, 0xFF], "image/jpeg"),
      (Array("GIF8".utf8), "image/gif"), (Array("RIFF".utf8), "image/webp"),
    ]
    return formats.first { data.starts(with: $0.beginning) }?.type ?? "application/octet-stream"
  }
}
