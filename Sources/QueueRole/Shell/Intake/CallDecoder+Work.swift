internal import RerankdProtocol

/// What workers say.
extension CallDecoder {
  func work(
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
        case 6: report.permitsAsked.append(try permitAsk(bytes(of: field, in: reader)))
        case 7: report.permitsEnded.append(try permitEnd(bytes(of: field, in: reader)))
        case 8:
          guard let name = reader.string(try reader.range(field)) else { continue }
          report.renewedCredentials.append(name)
        default: continue
        }
        guard report.items <= limits.reportItemsMax else {
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
    if report.items > 0 || report.draining { inputs.append(.work(call, report)) }
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
          retryable: false, retryAfterMs: nil))
    }
    return .completed(Array(result))
  }

  private func failure(_ failed: AttemptFailure) -> WorkFailure {
    let retryAfter = failed.status.details.retryAfterMs
    let scores = failed.partialScores
    let keepsScores = (1...limits.partialScoresBytesMax).contains(scores.count)
    return WorkFailure(
      code: failed.status.code == 0 ? StatusCode.unknown.rawValue : failed.status.code,
      message: failed.status.message.prefix(utf8Bytes: limits.failureMessageBytesMax),
      retryable: failed.retryable,
      retryAfterMs: retryAfter == 0 ? nil : Int64(clamping: retryAfter),
      isUnspent: failed.unspent, fault: failed.fault,
      partialScores: keepsScores ? Array(scores) : nil,
      hasDroppedScores: scores.count > limits.partialScoresBytesMax)
  }

  private func permitAsk(_ bytes: [UInt8]) throws(CallError) -> PermitAsk {
    let request = try decode(PermitRequest.self, bytes)
    return PermitAsk(
      id: request.permitID, backend: request.backend, tokens: Int(clamping: request.tokens),
      job: JobID(rawValue: request.jobID))
  }

  private func permitEnd(_ bytes: [UInt8]) throws(CallError) -> PermitEnd {
    let report = try decode(PermitReport.self, bytes)
    return PermitEnd(
      id: report.permitID, isUnused: report.unused, isUnfinished: report.unfinished,
      fault: report.fault,
      retryAfterMs: report.retryAfterMs == 0 ? nil : Int64(clamping: report.retryAfterMs),
      message: report.message.prefix(utf8Bytes: limits.failureMessageBytesMax))
  }

  private func bytes(
    of field: ProtobufReader.Field, in reader: ProtobufReader
  ) throws(ProtobufReader.Malformed) -> [UInt8] {
    Array(reader.bytes[try reader.range(field)])
  }
}

extension WorkReport {
  fileprivate var items: Int {
    progress.count + outcomes.count + released.count + permitsAsked.count + permitsEnded.count
      + renewedCredentials.count
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
