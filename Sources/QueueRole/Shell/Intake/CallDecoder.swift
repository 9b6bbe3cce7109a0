internal import Ledger
internal import RerankdProtocol
internal import SwiftProtobuf

/// Turns one whole message of a call into what the core takes. It has no state: whether a message
/// is a stream's first is told to it.
struct CallDecoder {
  let limits: IntakeLimits
  let validator: SubmissionValidator

  init(limits: IntakeLimits, takesImages: [String: Bool]) {
    self.limits = limits
    validator = SubmissionValidator(limits: limits, takesImages: takesImages)
  }

  /// - Throws: the status that ends the call.
  func inputs(
    _ call: CallRef, _ method: RerankdProtocol.Method, _ message: [UInt8], isFirst: Bool
  ) throws(CallError) -> [QueueInput] {
    switch method {
    case .submit: [.submit(call, try submissions(message))]
    case .rerank: [try rerank(call, message)]
    case .get: [try get(call, try decode(GetRequest.self, message))]
    case .cancel:
      [.cancel(call, try job(try decode(CancelRequest.self, message).jobID, "job_id"))]
    case .listModels: [.listModels(call)]
    case .receive: try receive(call, try decode(ReceiveRequest.self, message), isFirst: isFirst)
    case .attach: try work(call, message, isFirst: isFirst)
    case .status: [.status(call)]
    case .listJobs, .retryJobs, .cancelJobs, .purgeJobs, .listWorkers, .drainWorker, .setPaused,
      .setBackendPaused, .setWorkerPaused, .setDraining, .scaleWorkers, .supervise, .backUpLedger,
      .checkLedger, .ledgerStatistics:
      [try control(call, method, message)]
    }
  }

  /// A message of the bare intake. Nobody is told when it is refused, so the core keeps the reason.
  func bare(_ message: [UInt8]) -> QueueInput {
    .bare(
      validator.submission(ProtobufReader(message), path: ""),
      excerpt: Array(message.prefix(limits.excerptBytesMax)))
  }

  func decode<Request: Message>(
    _ type: Request.Type, _ message: [UInt8]
  ) throws(CallError) -> Request {
    do {
      return try Request(serializedBytes: message)
    } catch {
      throw CallError(
        .invalidArgument, "the message is no \(Request.protoMessageName): \(error)",
        reason: "MALFORMED_MESSAGE")
    }
  }

  func malformed(_ name: String, _ error: ProtobufReader.Malformed) -> CallError {
    CallError(
      .invalidArgument, "the message is no rerankd.v1.\(name): \(error.message)",
      reason: "MALFORMED_MESSAGE")
  }
}

// JobQueue.
extension CallDecoder {
  private func submissions(_ message: [UInt8]) throws(CallError) -> [Submission] {
    var submissions: [Submission] = []
    var reader = ProtobufReader(message)
    do {
      while let field = try reader.next() {
        guard field.number == 1 else { continue }
        guard submissions.count < limits.submitJobsMax else {
          throw CallError.invalidArgument(
            field: "jobs", "has more than \(limits.submitJobsMax) jobs; send several Submits")
        }
        submissions.append(
          validator.submission(
            try reader.nested(field), path: "jobs[\(submissions.count)]."))
      }
    } catch let error as CallError {
      throw error
    } catch let error as ProtobufReader.Malformed {
      throw malformed("SubmitRequest", error)
    } catch {
      throw CallError(.internal, "\(error)")
    }
    guard !submissions.isEmpty else {
      throw CallError.invalidArgument(field: "jobs", "is empty; submit at least one job")
    }
    return submissions
  }

  private func rerank(_ call: CallRef, _ message: [UInt8]) throws(CallError) -> QueueInput {
    var job: ProtobufReader?
    var cancelWithCall = false
    do {
      var reader = ProtobufReader(message)
      while let field = try reader.next() {
        switch field.number {
        case 1: job = try reader.nested(field)
        case 2: cancelWithCall = try reader.varint(field) != 0
        default: continue
        }
      }
    } catch {
      throw malformed("RerankCall", error)
    }
    guard let job else { throw CallError.invalidArgument(field: "job", "is missing") }
    return .rerank(
      call, validator.submission(job, path: "job."), cancelWithCall: cancelWithCall)
  }

  private func get(_ call: CallRef, _ request: GetRequest) throws(CallError) -> QueueInput {
    let selector: JobSelector
    switch request.job {
    case .jobID(let id): selector = .id(try job(id, "job_id"))
    case .key(let key):
      guard !key.idempotencyKey.isEmpty else {
        throw CallError.invalidArgument(field: "key.idempotency_key", "is empty")
      }
      selector = .key(
        tenant: key.tenant.isEmpty ? defaultTenant : key.tenant, key: key.idempotencyKey)
    case nil: throw CallError.invalidArgument(field: "job", "is missing: name a job_id or a key")
    }
    return .get(
      call, selector, withRequest: request.withRequest, withAttempts: request.withAttempts)
  }

  private func job(_ rawValue: UInt64, _ field: String) throws(CallError) -> JobID {
    guard rawValue != 0 else { throw CallError.invalidArgument(field: field, "is missing") }
    return JobID(rawValue: rawValue)
  }
}

// Replies.
extension CallDecoder {
  private func receive(
    _ call: CallRef, _ request: ReceiveRequest, isFirst: Bool
  ) throws(CallError) -> [QueueInput] {
    guard request.acknowledged.count <= limits.reportItemsMax else {
      throw CallError.invalidArgument(
        field: "acknowledged",
        "has \(request.acknowledged.count) outcomes; the limit is \(limits.reportItemsMax)")
    }
    var inputs: [QueueInput] = []
    if isFirst {
      guard (1...limits.channelBytesMax).contains(request.channel.utf8.count) else {
        throw CallError.invalidArgument(
          field: "channel", "has 1 to \(limits.channelBytesMax) bytes in the first message")
      }
      inputs.append(
        .receive(
          call, tenant: request.tenant.isEmpty ? defaultTenant : request.tenant,
          channel: request.channel))
    }
    if request.credit > 0 || !request.acknowledged.isEmpty {
      inputs.append(
        .receiveMore(
          call, credit: min(request.credit, limits.deliveryCreditMax),
          acknowledged: request.acknowledged))
    }
    return inputs
  }
}
