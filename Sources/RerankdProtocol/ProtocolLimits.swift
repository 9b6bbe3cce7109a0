/// The largest of everything on the wire. Both sides of a connection must agree on the first four;
/// the queue enforces all of them.
public struct ProtocolLimits: Sendable, Equatable {
  /// Payload bytes in one frame; a larger message travels as fragments.
  public var frameBytesMax = 1 << 20
  /// Bytes of one whole message, all its fragments together.
  public var messageBytesMax = 64 << 20
  /// Payload bytes that a client may send on a new call before the queue grants more.
  public var initialWindowBytes = 4 << 20
  /// Frames of one multipart message, the header included. No kind of version 1 needs more.
  public var framesMax = 3

  /// Bytes of frame 1 of OPEN (method and metadata together).
  public var headBytesMax = 16 << 10
  public var metadataEntriesMax = 32
  /// Bytes of all metadata keys and values.
  public var metadataBytesMax = 8 << 10
  /// Bytes of frame 1 of STATUS and REJECT.
  public var statusBytesMax = 64 << 10
  /// Calls open at once on one connection.
  public var openCallsMax = 1_024

  /// Jobs in one Submit.
  public var submitJobsMax = 1_000
  /// Documents of one job.
  public var documentsMax = 100_000
  /// Bytes of a serialized `RerankRequest`. It leaves room in a message for what travels with it.
  public var requestBytesMax = 63 << 20
  /// Bytes of names: model, tenant, idempotency key, reply channel, `reply_to`, worker id.
  public var modelBytesMax = 256
  public var tenantBytesMax = 128
  public var idempotencyKeyBytesMax = 256
  public var channelBytesMax = 128
  public var replyToBytesMax = 512
  public var workerIDBytesMax = 128

  public init() {}
}

extension ProtocolLimits {
  /// The first value that cannot work: its key and what is wanted there; nil when all is well.
  public var firstProblem: (key: String, message: String)? {
    let positive = [
      ("frameBytesMax", frameBytesMax), ("framesMax", framesMax), ("headBytesMax", headBytesMax),
      ("metadataEntriesMax", metadataEntriesMax), ("metadataBytesMax", metadataBytesMax),
      ("statusBytesMax", statusBytesMax), ("openCallsMax", openCallsMax),
      ("submitJobsMax", submitJobsMax), ("documentsMax", documentsMax),
      ("requestBytesMax", requestBytesMax), ("modelBytesMax", modelBytesMax),
      ("tenantBytesMax", tenantBytesMax), ("idempotencyKeyBytesMax", idempotencyKeyBytesMax),
      ("channelBytesMax", channelBytesMax), ("replyToBytesMax", replyToBytesMax),
      ("workerIDBytesMax", workerIDBytesMax),
    ]
    for (key, value) in positive where value < 1 {
      return (key, "must be at least 1, not \(value)")
    }
    if messageBytesMax < frameBytesMax {
      return ("messageBytesMax", "must not be below frameBytesMax, \(frameBytesMax)")
    }
    // The receiver grants by halves of the window, so a frame larger than a half could wait for
    // ever.
    if initialWindowBytes / 2 < frameBytesMax {
      return ("initialWindowBytes", "must be at least twice frameBytesMax, \(frameBytesMax)")
    }
    return nil
  }
}
