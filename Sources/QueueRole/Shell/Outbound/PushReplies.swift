internal import RerankdProtocol
internal import ZeroMQ

/// Outcomes to `reply_to` endpoints, over PUSH sockets that are opened on demand and closed when they
/// have been idle. Best effort: what does not leave in time, or has no room, is dropped and counted;
/// the outcome can still be fetched. Belongs to the loop's thread.
final class PushReplies {
  private final class Destination {
    let socket: Socket
    /// libzmq takes a message only once somebody is connected, so what comes first waits here.
    var waiting: [(message: [UInt8], dueMs: Int64)] = []
    var lastUsedMs: Int64

    init(socket: Socket, nowMs: Int64) {
      self.socket = socket
      lastUsedMs = nowMs
    }
  }

  private(set) var sent: UInt64 = 0
  private(set) var dropped: UInt64 = 0
  private let context: Context
  private let limits: PushReplyLimits
  private var destinations: [String: Destination] = [:]
  private var waitingBytes = 0

  init(context: Context, limits: PushReplyLimits) {
    self.context = context
    self.limits = limits
  }

  var hasWaiting: Bool { waitingBytes > 0 }

  func push(_ message: [UInt8], to endpoint: String, nowMs: Int64) {
    guard let destination = destination(endpoint, nowMs) else {
      dropped += 1
      return
    }
    destination.lastUsedMs = nowMs
    if destination.waiting.isEmpty, send(message, destination) { return }
    guard destination.waiting.count < limits.messagesMax,
      waitingBytes + message.count <= limits.bytesMax
    else {
      dropped += 1
      return
    }
    destination.waiting.append(
      (message, nowMs + Int64(limits.patience.wholeMilliseconds)))
    waitingBytes += message.count
  }

  /// Tries what waits again, gives up what has waited too long, and closes idle sockets.
  func flush(nowMs: Int64) {
    for (endpoint, destination) in destinations {
      while let first = destination.waiting.first {
        if send(first.message, destination) {
          destination.lastUsedMs = nowMs
        } else if first.dueMs <= nowMs {
          dropped += 1
        } else {
          break
        }
        destination.waiting.removeFirst()
        waitingBytes -= first.message.count
      }
      let idleMs = nowMs - destination.lastUsedMs
      if destination.waiting.isEmpty, idleMs >= Int64(limits.idle.wholeMilliseconds) {
        destination.socket.close()
        destinations[endpoint] = nil
      }
    }
  }

  func close() {
    for destination in destinations.values { destination.socket.close() }
    destinations = [:]
  }

  private func send(_ message: [UInt8], _ destination: Destination) -> Bool {
    guard (try? destination.socket.send([message])) == .sent else { return false }
    sent += 1
    return true
  }

  /// Nil when there are too many, or the endpoint is none after all.
  private func destination(_ endpoint: String, _ nowMs: Int64) -> Destination? {
    if let known = destinations[endpoint] { return known }
    if destinations.count >= limits.endpointsMax {
      guard
        let idle = destinations.filter({ $0.value.waiting.isEmpty })
          .min(by: { $0.value.lastUsedMs < $1.value.lastUsedMs })
      else { return nil }
      idle.value.socket.close()
      destinations[idle.key] = nil
    }
    var options = SocketOptions()
    options.sendMessagesMax = limits.socketMessagesMax
    guard let socket = try? Socket(.push, in: context, options: options),
      let parsed = try? Endpoint(endpoint), (try? socket.connect(parsed)) != nil
    else { return nil }
    let destination = Destination(socket: socket, nowMs: nowMs)
    destinations[endpoint] = destination
    return destination
  }
}

public struct PushReplyLimits: Sendable, Equatable {
  /// Endpoints connected to at once; the one that was idle longest makes room.
  public var endpointsMax = 64
  /// Outcomes that wait for one endpoint, and bytes of those that wait for all.
  public var messagesMax = 1_024
  public var bytesMax = 64 << 20
  /// Messages that libzmq holds for an endpoint beyond those.
  public var socketMessagesMax = 64
  /// How long an outcome waits for somebody to take it.
  public var patience: Duration = .seconds(10)
  /// A socket that nothing was sent on for so long is closed.
  public var idle: Duration = .seconds(60)

  public init() {}
}
