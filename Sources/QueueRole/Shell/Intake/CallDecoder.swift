internal import Ledger
internal import RerankdProtocol
internal import SwiftProtobuf

/// Turns one whole message of a call into what the core takes. It has no state: whether a message is
/// a stream's first is told to it.
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
    case .listJobs: [.listJobs(call, try filter(try decode(ListJobsRequest.self, message)))]
    case .retryJobs: [try retry(call, try decode(RetryJobsRequest.self, message))]
    case .listWorkers: [.listWorkers(call)]
    case .drainWorker:
      [.drainWorker(call, workerID: try decode(DrainWorkerRequest.self, message).workerID)]
    case .setPaused: [.setPaused(call, try decode(SetPausedRequest.self, message).paused)]
    }
  }

  /// A message of the bare intake. Nobody is told when it is refused, so the core keeps the reason.
  func bare(_ message: [UInt8]) -> QueueInput {
    .bare(
      validator.submission(ProtobufReader(message), path: ""),
      excerpt: Array(message.prefix(limits.excerptBytesMax)))
  }

  private func decode<Request: Message>(
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

  private func malformed(_ name: String, _ error: ProtobufReader.Malformed) -> CallError {
    CallError(
      .invalidArgument, "the message is no rerankd.v1.\(name): \(error.message)",
      reason: "MALFORMED_MESSAGE")
  }
}

// JobQueue and Control.
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

  private func retry(_ call: CallRef, _ request: RetryJobsRequest) throws(CallError) -> QueueInput {
    guard (1...limits.retryJobsMax).contains(request.jobIds.count) else {
      throw CallError.invalidArgument(
        field: "job_ids", "has \(request.jobIds.count) ids; 1 to \(limits.retryJobsMax) are taken")
    }
    return .retryJobs(call, request.jobIds.map { JobID(rawValue: $0) })
  }

  private func filter(_ request: ListJobsRequest) throws(CallError) -> JobFilter {
    guard request.limit <= limits.listJobsMax else {
      throw CallError.invalidArgument(
        field: "limit", "is \(request.limit); the limit is \(limits.listJobsMax)")
    }
    for (index, state) in request.states.enumerated() {
      if case .UNRECOGNIZED(let number) = state {
        throw CallError.invalidArgument(field: "states[\(index)]", "\(number) is no JobState")
      }
    }
    return JobFilter(
      states: request.states, tenant: request.tenant.isEmpty ? nil : request.tenant,
      model: request.model.isEmpty ? nil : request.model,
      before: request.beforeJobID == 0 ? nil : JobID(rawValue: request.beforeJobID),
      limit: request.limit == 0 ? limits.listJobsDefault : Int(request.limit))
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
    guard request.acknowledgedJobIds.count <= limits.reportItemsMax else {
      throw CallError.invalidArgument(
        field: "acknowledged_job_ids",
        "has \(request.acknowledgedJobIds.count) ids; the limit is \(limits.reportItemsMax)")
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
    if request.credit > 0 || !request.acknowledgedJobIds.isEmpty {
      inputs.append(
        .receiveMore(
          call, credit: min(request.credit, limits.deliveryCreditMax),
          acknowledged: request.acknowledgedJobIds.map { JobID(rawValue: $0) }))
    }
    return inputs
  }
}

// Work.
extension CallDecoder {
  private func work(
    _ call: CallRef, _ message: [UInt8], isFirst: Bool
  ) throws(CallError) -> [QueueInput] {
    var report = WorkReport()
    var attach: AttachRequest?
    do {
      var reader = ProtobufReader(message)
      while let field = try reader.next() {
        switch field.number {
        case 1:
          let range = try reader.range(field)
          attach = try attachRequest(try decode(Attach.self, Array(message[range])))
        case 2: report.progress.append(try lease(try reader.nested(field)))
        case 3:
          guard let outcome = try outcome(try reader.nested(field)) else { continue }
          report.outcomes.append(outcome)
        case 4: report.released.append(try lease(try reader.nested(field)))
        case 5: report.draining = try reader.varint(field) != 0
        default: continue
        }
        let items = report.progress.count + report.outcomes.count + report.released.count
        guard items <= limits.reportItemsMax else {
          throw CallError(
            .invalidArgument, "a WorkerMessage has at most \(limits.reportItemsMax) items")
        }
      }
    } catch let error as CallError {
      throw error
    } catch let error as ProtobufReader.Malformed {
      throw malformed("WorkerMessage", error)
    } catch {
      throw CallError(.internal, "\(error)")
    }
    guard isFirst == (attach != nil) else {
      throw CallError.invalidArgument(
        field: "attach",
        isFirst ? "is missing in the first message" : "belongs in the first message alone")
    }
    var inputs: [QueueInput] = []
    if let attach { inputs.append(.attach(call, attach)) }
    let hasReport =
      !report.progress.isEmpty || !report.outcomes.isEmpty || !report.released.isEmpty
      || report.draining
    if hasReport { inputs.append(.work(call, report)) }
    return inputs
  }

  private func attachRequest(_ attach: Attach) throws(CallError) -> AttachRequest {
    guard (1...limits.workerIDBytesMax).contains(attach.workerID.utf8.count),
      attach.workerID.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
    else {
      throw CallError.invalidArgument(
        field: "attach.worker_id",
        "has 1 to \(limits.workerIDBytesMax) characters of printable ASCII")
    }
    guard (1...limits.workerModelsMax).contains(attach.models.count),
      attach.models.allSatisfy({ (1...limits.modelBytesMax).contains($0.utf8.count) })
    else {
      throw CallError.invalidArgument(
        field: "attach.models", "has 1 to \(limits.workerModelsMax) names, none of them empty")
    }
    guard attach.creditJobs > 0, attach.creditBytes > 0 else {
      throw CallError.invalidArgument(
        field: attach.creditJobs == 0 ? "attach.credit_jobs" : "attach.credit_bytes",
        "is 0: the worker could never be given a job")
    }
    guard attach.held.count <= limits.heldLeasesMax else {
      throw CallError.invalidArgument(
        field: "attach.held",
        "has \(attach.held.count) leases; the limit is \(limits.heldLeasesMax)")
    }
    guard attach.version.utf8.count <= limits.workerDescriptionBytesMax,
      attach.host.utf8.count <= limits.workerDescriptionBytesMax
    else {
      throw CallError.invalidArgument(
        field: "attach.host",
        "and version have at most \(limits.workerDescriptionBytesMax) bytes each")
    }
    return AttachRequest(
      workerID: attach.workerID, models: attach.models,
      creditJobs: min(Int(attach.creditJobs), limits.workerCreditJobsMax),
      creditBytes: Int(min(attach.creditBytes, UInt64(limits.workerCreditBytesMax))),
      held: attach.held.map {
        Lease(job: JobID(rawValue: $0.jobID), attempt: $0.attempt, epoch: $0.epoch)
      },
      version: attach.version, host: attach.host, processID: attach.processID)
  }

  private func lease(_ reader: ProtobufReader) throws(ProtobufReader.Malformed) -> Lease {
    var reader = reader
    var lease = Lease(job: JobID(rawValue: 0), attempt: 0, epoch: 0)
    while let field = try reader.next() {
      switch field.number {
      case 1: lease.job = JobID(rawValue: try reader.varint(field))
      case 2: lease.attempt = UInt32(truncatingIfNeeded: try reader.varint(field))
      case 3: lease.epoch = try reader.varint(field)
      default: continue
      }
    }
    return lease
  }

  /// Nil for an outcome of a kind that this version does not know: its lease runs out by itself.
  private func outcome(
    _ reader: ProtobufReader
  ) throws -> (lease: Lease, end: WorkEnd)? {
    var reader = reader
    var lease: Lease?
    var end: WorkEnd?
    while let field = try reader.next() {
      switch field.number {
      case 1: lease = try self.lease(try reader.nested(field))
      case 2: end = completed(reader.bytes[try reader.range(field)])
      case 3:
        let range = try reader.range(field)
        end = .failed(failure(try decode(AttemptFailure.self, Array(reader.bytes[range]))))
      default: continue
      }
    }
    guard let lease, let end else { return nil }
    return (lease, end)
  }

  private func completed(_ result: ArraySlice<UInt8>) -> WorkEnd {
    guard result.count <= limits.resultBytesMax else {
      return .failed(
        WorkFailure(
          code: StatusCode.resourceExhausted.rawValue,
          message: "the result has \(result.count) bytes; the queue keeps at most "
            + "\(limits.resultBytesMax): ask for fewer documents by top_n",
          retryable: false, retryAfterMs: nil, pausesModel: false))
    }
    return .completed(Array(result))
  }

  private func failure(_ failed: AttemptFailure) -> WorkFailure {
    let retryAfter = failed.status.details.retryAfterMs
    return WorkFailure(
      code: failed.status.code == 0 ? StatusCode.unknown.rawValue : failed.status.code,
      message: failed.status.message.prefix(utf8Bytes: limits.failureMessageBytesMax),
      retryable: failed.retryable,
      retryAfterMs: retryAfter == 0 ? nil : Int64(clamping: retryAfter),
      pausesModel: failed.pauseModel)
  }
}

extension String {
  /// The beginning that takes up at most so many bytes, cut between characters.
  func prefix(utf8Bytes limit: Int) -> String {
    guard utf8.count > limit else { return self }
    var bytes = 0
    return String(
      prefix { character in
        bytes += String(character).utf8.count
        return bytes <= limit
      })
  }
}
