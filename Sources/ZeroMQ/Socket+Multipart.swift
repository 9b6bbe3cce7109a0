internal import CZeroMQ
internal import Glibc

extension Socket {
  public enum SendOutcome: Sendable, Equatable {
    case sent
    /// The peer's queue is full, or nobody is connected: nothing was sent, try when writable.
    case wouldBlock
    /// A ROUTER knows no peer by this routing id (any more). Nothing was sent.
    case unreachable
  }

  /// Sends a whole multipart message, or nothing of it, without waiting.
  ///
  /// - Parameter frames: at least one; for a ROUTER the first is the peer's routing id.
  public func send(_ frames: [[UInt8]]) throws(ZeroMQError) -> SendOutcome {
    var outcome = SendOutcome.sent
    for (index, frame) in frames.enumerated() {
      let more = index + 1 < frames.count ? ZMQ_SNDMORE : 0
      while zmq_send(pointer, frame, frame.count, ZMQ_DONTWAIT | more) < 0 {
        switch zmq_errno() {
        case EINTR: continue
        case EAGAIN: outcome = .wouldBlock
        case EHOSTUNREACH: outcome = .unreachable
        default: throw .last("send \(frames.count) frames on a \(kind) socket")
        }
        // The first frame decides whether there is room. Should the peer vanish after it, libzmq
        // takes back what it had and swallows the rest, which therefore must be offered still.
        if index == 0 { return outcome }
        break
      }
    }
    return outcome
  }

  /// What one message may be; more is drained without being kept.
  public struct MultipartBounds: Sendable, Equatable {
    /// Frames, a ROUTER's routing id included.
    public var framesMax: Int
    /// Bytes of all frames together.
    public var bytesMax: Int

    public init(framesMax: Int, bytesMax: Int) {
      self.framesMax = framesMax
      self.bytesMax = bytesMax
    }
  }

  public struct Received: Sendable, Equatable {
    /// On a ROUTER the first is the sender's routing id.
    public var frames: [[UInt8]]
    /// With CURVE and a ZAP handler: what the handler calls the sender.
    public var userID: String?

    public init(frames: [[UInt8]], userID: String? = nil) {
      self.frames = frames
      self.userID = userID
    }
  }

  public enum ReceiveOutcome: Sendable, Equatable {
    case message(Received)
    /// A message beyond the bounds: the frames before the excess, and the size of all of it.
    case oversized(Received, frames: Int, bytes: Int)
    case nothing
  }

  /// Takes the next message, if there is one. Each frame is copied once, out of libzmq's buffer.
  public func receive(bounds: MultipartBounds) throws(ZeroMQError) -> ReceiveOutcome {
    var message = zmq_msg_t()
    zmq_msg_init(&message)
    defer { zmq_msg_close(&message) }

    var received = Received(frames: [])
    var frames = 0
    var bytes = 0
    var isOversized = false
    repeat {
      // Only the first frame can be missing: libzmq hands out whole messages.
      guard try receiveFrame(into: &message) else { return .nothing }
      // Which frame carries it is libzmq's affair: a ROUTER makes the first one itself.
      if received.userID == nil, identifiesPeers, let userID = zmq_msg_gets(&message, "User-Id") {
        received.userID = String(cString: userID)
      }
      let count = zmq_msg_size(&message)
      frames += 1
      bytes += count
      isOversized = isOversized || frames > bounds.framesMax || bytes > bounds.bytesMax
      if !isOversized {
        received.frames.append(
          [UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: count)))
      }
    } while zmq_msg_more(&message) != 0
    return isOversized
      ? .oversized(received, frames: frames, bytes: bytes) : .message(received)
  }

  private func receiveFrame(into message: inout zmq_msg_t) throws(ZeroMQError) -> Bool {
    while zmq_msg_recv(&message, pointer, ZMQ_DONTWAIT) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return false
      default: throw .last("receive on a \(kind) socket")
      }
    }
    return true
  }
}
