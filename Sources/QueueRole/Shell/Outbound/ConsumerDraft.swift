internal import Ledger
internal import RerankdProtocol

/// What one batch has to tell one consumer of a reply channel, gathered into as few
/// `ReceiveResponse`s as the size of the results allows.
struct ConsumerDraft {
  private(set) var deliveries: [DeliveryOrder] = []
  private(set) var recorded: [JobID] = []

  mutating func add(_ orders: [DeliveryOrder]) { deliveries += orders }

  mutating func add(recorded jobs: [JobID]) { recorded += jobs }

  /// Serialized `ReceiveResponse`s. A result that cannot be read leaves its delivery out; it will be
  /// delivered again.
  func messages(bytesTarget: Int, result: (JobID) -> [UInt8]?) -> [[UInt8]] {
    var messages: [[UInt8]] = []
    var writer = ProtobufWriter()
    writer.packed(2, recorded.lazy.map(\.rawValue))
    for order in deliveries {
      guard let payload = order.outcome.payload(result) else { continue }
      let head = order.outcome.head
      let outcomeBytes = head.bytes.count + ProtobufWriter.dataBytes(3, payload.count)
      var tail = ProtobufWriter()
      tail.varint(2, UInt64(order.deliveryAttempt))
      let bytes = ProtobufWriter.dataBytes(1, outcomeBytes) + tail.bytes.count
      if !writer.bytes.isEmpty, writer.bytes.count + bytes > bytesTarget {
        messages.append(writer.bytes)
        writer = ProtobufWriter()
      }
      writer.header(1, byteCount: bytes)
      writer.header(1, byteCount: outcomeBytes)
      writer.append(head)
      writer.data(3, payload)
      writer.append(tail)
    }
    if !writer.bytes.isEmpty { messages.append(writer.bytes) }
    return messages
  }
}

extension OutcomeOrder {
  /// Whether the outcome carries a result.
  var hasResult: Bool { state == .succeeded }

  /// Empty for outcomes that have no result; nil when it cannot be read.
  func payload(_ result: (JobID) -> [UInt8]?) -> [UInt8]? {
    hasResult ? result(job) : []
  }

  /// A `JobOutcome` without its result.
  var head: ProtobufWriter {
    var writer = ProtobufWriter()
    writer.varint(1, job.rawValue)
    writer.varint(2, UInt64(max(0, state.rawValue)))
    if errorCode != 0 || !errorMessage.isEmpty {
      var error = ProtobufWriter()
      error.varint(1, UInt64(errorCode))
      error.string(2, errorMessage)
      writer.message(4, error)
    }
    writer.varint(5, UInt64(attempts))
    writer.string(6, tenant)
    writer.string(7, idempotencyKey ?? "")
    return writer
  }

  /// A serialized `JobOutcome`; nil when its result cannot be read.
  func message(result: (JobID) -> [UInt8]?) -> [UInt8]? {
    guard let payload = payload(result) else { return nil }
    var writer = head
    writer.data(3, payload)
    return writer.bytes
  }
}
