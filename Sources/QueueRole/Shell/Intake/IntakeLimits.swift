internal import RerankdProtocol

/// What the validator lets in. Everything here is refused with INVALID_ARGUMENT and the field's
/// path.
public struct IntakeLimits: Sendable, Equatable {
  /// Documents of one job.
  public var documentsMax: Int
  /// Bytes of text of one query or one document; images are bounded by the body alone. 1 MiB of
  /// text is some 250,000 tokens: no model's window comes near it.
  public var documentTextBytesMax = 1 << 20
  public var instructionBytesMax = 16 << 10
  public var imageURLBytesMax = 8 << 10
  /// Bytes of one job's serialized RerankRequest.
  public var requestBytesMax: Int
  /// Jobs of one Submit.
  public var submitJobsMax: Int
  /// Jobs of one RetryJobs, CancelJobs or PurgeJobs.
  public var jobActionsMax = 1_000
  /// Jobs of one page of ListJobs, and how many are listed when the caller does not say.
  public var listJobsMax = 1_000
  public var listJobsDefault = 100
  /// Codes, and bytes of text, that one ListJobs may look for in errors.
  public var errorCodesMax = 32
  public var errorTextBytesMax = 256

  public var modelBytesMax: Int
  public var tenantBytesMax: Int
  public var idempotencyKeyBytesMax: Int
  public var channelBytesMax: Int
  public var replyToBytesMax: Int
  public var workerIDBytesMax: Int
  public var traceparentBytesMax = 64
  /// Models that one worker serves; version and host that it tells of itself.
  public var workerModelsMax = 256
  public var workerDescriptionBytesMax = 256
  /// The lowest and the highest priority.
  public var priorityRange: ClosedRange<Int32> = -100...100
  public var attemptsMax: UInt32 = 100
  /// Longest not_before and deadline: 30 days.
  public var scheduleMsMax: Int64 = 30 * 24 * 3_600 * 1_000

  /// A worker or consumer that offers more credit is given this much, so that what lies in its
  /// outbox stays bounded.
  public var workerCreditJobsMax = 4_096
  public var workerCreditBytesMax = 64 << 20
  public var deliveryCreditMax: UInt32 = 1_024
  /// Progress, outcomes, releases or acknowledgements in one message.
  public var reportItemsMax = 10_000
  /// Leases that a worker lists when it attaches.
  public var heldLeasesMax = 10_000
  /// Bytes of one serialized RerankResult. A larger one ends its job as failed.
  public var resultBytesMax = 8 << 20
  /// Bytes of the serialized PartialScores of a failed attempt. Larger ones are dropped, and the
  /// next attempt begins anew.
  public var partialScoresBytesMax = 4 << 20
  /// Of a longer failure message, the beginning is kept.
  public var failureMessageBytesMax = 4 << 10
  /// Field violations listed in one answer.
  public var violationsListedMax = 16
  /// First bytes of a refused bare job that are kept in the reject table.
  public var excerptBytesMax = 256

  /// Endpoints that a job may name in `reply_to`: those that begin with one of these. Anything
  /// beyond this machine has to be added on purpose, since the queue connects to it.
  public var replyToPrefixes = ["ipc://", "tcp://127.0.0.1:", "tcp://[::1]:", "tcp://localhost:"]

  public init() {
    let wire = ProtocolLimits()
    documentsMax = wire.documentsMax
    requestBytesMax = wire.requestBytesMax
    submitJobsMax = wire.submitJobsMax
    modelBytesMax = wire.modelBytesMax
    tenantBytesMax = wire.tenantBytesMax
    idempotencyKeyBytesMax = wire.idempotencyKeyBytesMax
    channelBytesMax = wire.channelBytesMax
    replyToBytesMax = wire.replyToBytesMax
    workerIDBytesMax = wire.workerIDBytesMax
  }
}
