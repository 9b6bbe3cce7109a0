import HTTPTypes
import RerankdProtocol

/// What the job routes answer.
struct JobAnswer: Encodable {
  enum Status: String, Encodable {
    case queued
    case inProgress = "in_progress"
    case succeeded
    case failed
    case cancelled
    case expired

    init(_ state: JobState) {
      self =
        switch state {
        case .leased: .inProgress
        case .succeeded: .succeeded
        case .dead: .failed
        case .cancelled: .cancelled
        case .expired: .expired
        case .unspecified, .delayed, .ready, .UNRECOGNIZED: .queued
        }
    }
  }

  var id: String
  var object = "rerank.job"
  var status: Status
  var model: String?
  /// Seconds since 1970.
  var createdAt: Int64?
  var attempts: UInt32?
  /// The job existed already, by its idempotency key.
  var duplicate: Bool?
  /// When it succeeded.
  var result: OpenRerankAnswer?
  /// When it ended in another way.
  var error: OpenAIErrorBody.Details?

  enum CodingKeys: String, CodingKey {
    case id
    case object
    case status
    case model
    case createdAt = "created_at"
    case attempts
    case duplicate
    case result
    case error
  }
}

extension JobAnswer {
  init(_ details: JobDetails) {
    self.init(
      id: "\(JobID(rawValue: details.jobID))", status: Status(details.state),
      model: details.spec.model, createdAt: details.submittedUnixMs / 1_000,
      attempts: details.attempts)
    if details.hasOutcome, let error = CallError(status: details.outcome.error) {
      let api = APIError(error, retryAfter: .seconds(1))
      self.error = .init(
        message: api.message, type: api.type, param: api.param, code: api.code)
    }
  }
}

/// `GET /v1/models`, as OpenAI's clients read it.
struct ModelsAnswer: Encodable {
  struct Model: Encodable {
    var id: String
    var object = "model"
    /// Seconds since 1970: since when this gateway has listed it.
    var created: Int64
    var ownedBy = "rerankd"
    var contextTokens: UInt32
    var images: Bool
    /// Workers that serve it now.
    var workers: UInt32

    enum CodingKeys: String, CodingKey {
      case id
      case object
      case created
      case ownedBy = "owned_by"
      case contextTokens = "context_tokens"
      case images
      case workers
    }
  }

  var object = "list"
  var data: [Model]
}
