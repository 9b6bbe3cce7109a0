public import RerankdProtocol
internal import SwiftProtobuf

extension RerankRequest {
  /// Texts against a text.
  /// - Parameter topN: how many of the best results are kept; nil keeps all.
  public init(query: String, documents: [String], topN: UInt32? = nil) {
    self.init()
    self.query = Content(text: query)
    self.documents = documents.map(Content.init(text:))
    self.topN = topN ?? 0
  }
}

extension Content {
  /// One part of text.
  public init(text: String) {
    self.init()
    var part = Part()
    part.text = text
    parts = [part]
  }
}

extension RerankJob {
  /// - Throws: `CallError` when the request is too large to be serialized.
  public init(_ request: RerankRequest, model: String) throws(CallError) {
    self.init()
    spec.model = model
    do {
      self.request = try request.serializedData()
    } catch {
      throw CallError(.invalidArgument, "the request cannot be serialized: \(error)")
    }
  }
}

extension JobOutcome {
  /// The ranked scores of a job that succeeded.
  /// - Throws: `CallError` with the job's own error when it did not.
  public func rankedResult() throws(CallError) -> RerankResult {
    if let error = CallError(status: error) { throw error }
    guard state == .succeeded else {
      throw CallError(.internal, "job \(JobID(rawValue: jobID)) ended as \(state) without an error")
    }
    do {
      return try RerankResult(serializedBytes: result)
    } catch {
      throw CallError(.dataLoss, "the result of job \(JobID(rawValue: jobID)) cannot be read")
    }
  }
}
