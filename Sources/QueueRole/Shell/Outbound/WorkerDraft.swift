internal import Ledger
internal import RerankdProtocol

/// What one batch has to tell one worker, gathered so that it leaves in as few `QueueMessage`s as
/// the size of the bodies allows.
struct WorkerDraft {
  private(set) var attached: AttachedNotice?
  private(set) var assignments: [AssignmentOrder] = []
  private(set) var notice = WorkerNotice()

  /// What surrounds one assignment in a message of its own.
  private static var headerBytesMax: Int { 16 }

  mutating func add(_ attached: AttachedNotice) { self.attached = attached }

  mutating func add(_ orders: [AssignmentOrder]) { assignments += orders }

  mutating func add(_ more: WorkerNotice) {
    notice.recorded += more.recorded
    notice.drain = notice.drain || more.drain
    notice.granted += more.granted
    notice.refused += more.refused
    for lease in more.revoked {
      // Assigned and taken back within one batch: the worker need not hear of it.
      if let index = assignments.firstIndex(where: { $0.lease == lease }) {
        assignments.remove(at: index)
      } else {
        notice.revoked.append(lease)
      }
    }
  }

  /// Serialized `QueueMessage`s. A job without a body is left out: it cannot be read, which the
  /// caller has logged, and its lease will run out. Partial scores that are not there, or have no
  /// room beside the body, are made anew.
  func messages(
    bytesTarget: Int, bytesMax: Int, body: (JobID) -> [UInt8]?, scores: (JobID) -> [UInt8]?
  ) -> [[UInt8]] {
    var messages: [[UInt8]] = []
    var writer = ProtobufWriter()
    if let attached { writer.message(1, attached.writer) }
    writer.packed(3, notice.recorded.lazy.map(\.rawValue))
    for lease in notice.revoked { writer.message(4, lease.writer) }
    writer.varint(5, notice.drain ? 1 : 0)
    for grant in notice.granted { writer.message(6, grant.writer) }
    for refusal in notice.refused { writer.message(7, refusal.writer) }
    for order in assignments {
      guard let body = body(order.lease.job) else { continue }
      let head = order.head
      var bytes = head.bytes.count + ProtobufWriter.dataBytes(5, body.count)
      var scores = order.hasPartialScores ? scores(order.lease.job) ?? [] : []
      let scoreBytes = ProtobufWriter.dataBytes(7, scores.count)
      if bytes + scoreBytes > bytesMax - Self.headerBytesMax {
        scores = []
      } else {
        bytes += scoreBytes
      }
      if !writer.bytes.isEmpty, writer.bytes.count + bytes > bytesTarget {
        messages.append(writer.bytes)
        writer = ProtobufWriter()
      }
      writer.header(2, byteCount: bytes)
      writer.append(head)
      writer.data(5, body)
      writer.data(7, scores)
    }
    if !writer.bytes.isEmpty { messages.append(writer.bytes) }
    return messages
  }
}

extension AttachedNotice {
  fileprivate var writer: ProtobufWriter {
    var writer = ProtobufWriter()
    writer.varint(1, epoch)
    writer.varint(2, UInt64(shard))
    writer.varint(3, UInt64(max(0, leaseMs)))
    writer.varint(4, UInt64(max(0, heartbeatMs)))
    writer.packed(5, adopted.lazy.map(\.rawValue))
    return writer
  }
}

extension Lease {
  fileprivate var writer: ProtobufWriter {
    var writer = ProtobufWriter()
    writer.varint(1, job.rawValue)
    writer.varint(2, UInt64(attempt))
    writer.varint(3, epoch)
    return writer
  }
}

extension PermitGrantOrder {
  fileprivate var writer: ProtobufWriter {
    var writer = ProtobufWriter()
    writer.varint(1, id)
    writer.varint(2, UInt64(max(0, validMs)))
    return writer
  }
}

extension PermitRefusalOrder {
  fileprivate var writer: ProtobufWriter {
    var writer = ProtobufWriter()
    writer.varint(1, id)
    writer.varint(2, UInt64(max(0, retryAfterMs)))
    writer.string(3, reason)
    return writer
  }
}

extension AssignmentOrder {
  /// An `Assignment` without its body and its partial scores.
  fileprivate var head: ProtobufWriter {
    var writer = ProtobufWriter()
    writer.message(1, lease.writer)
    writer.string(2, model)
    writer.string(3, tenant)
    writer.varint(4, UInt64(max(0, remainingMs)))
    writer.string(6, traceparent ?? "")
    return writer
  }
}
