import RerankdProtocol
import SwiftProtobuf

@testable import QueueRole

/// Messages that the shell's tests begin with and spoil.
enum Sample {
  static let model = "text-model"
  static let imageModel = "image-model"
  static let decoder = CallDecoder(
    limits: limits, takesImages: [model: false, imageModel: true])

  static var limits: IntakeLimits {
    var limits = IntakeLimits()
    limits.documentsMax = 5
    limits.documentTextBytesMax = 100
    limits.requestBytesMax = 2_000
    limits.submitJobsMax = 3
    return limits
  }

  static func content(_ texts: String...) -> Content {
    var content = Content()
    content.parts = texts.map { text in
      var part = Part()
      part.text = text
      return part
    }
    return content
  }

  static func image(_ bytes: [UInt8] = [1, 2, 3], url: String? = nil) -> Content {
    var part = Part()
    if let url { part.image.url = url } else { part.image.data = .init(bytes) }
    var content = Content()
    content.parts = [part]
    return content
  }

  static var request: RerankRequest {
    var request = RerankRequest()
    request.query = content("What is love?")
    request.documents = [
      content("Baby don't hurt me"), content("Don't hurt me"), content("No more"),
    ]
    return request
  }

  static func job(
    _ request: RerankRequest = request, _ change: (inout JobSpec) -> Void = { _ in }
  ) throws -> RerankJob {
    var job = RerankJob()
    job.spec.model = model
    change(&job.spec)
    job.request = try request.serializedData()
    return job
  }

  static func submit(_ jobs: RerankJob...) throws -> [UInt8] {
    var request = SubmitRequest()
    request.jobs = jobs
    return try request.serializedBytes()
  }

  static let call = CallRef(peer: PeerID(rawValue: 1), call: 7)
}

extension Submission {
  var job: NewJob? {
    if case .valid(let job) = self { job } else { nil }
  }

  var error: CallError? {
    if case .refused(let error) = self { error } else { nil }
  }

  /// The fields that were found fault with.
  var fields: [String] { error?.details.violations.map(\.field) ?? [] }
}

extension Acknowledgement {
  init(_ job: JobID, _ attempts: UInt32) {
    self.init()
    jobID = job.rawValue
    self.attempts = attempts
  }
}
