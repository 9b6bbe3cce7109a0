/// What a peer could not be sent yet because its connection is full. Bounded: a peer that does not
/// drain it loses its calls.
struct Outbox {
  private var messages: [[[UInt8]]] = []
  private var next = 0
  private(set) var bytes = 0

  var isEmpty: Bool { next == messages.count }
  var count: Int { messages.count - next }
  var first: [[UInt8]]? { isEmpty ? nil : messages[next] }

  mutating func append(_ frames: [[UInt8]]) {
    bytes += Self.bytes(of: frames)
    messages.append(frames)
  }

  mutating func removeFirst() {
    bytes -= Self.bytes(of: messages[next])
    messages[next] = []
    next += 1
    if next == messages.count || next >= 256 {
      messages.removeSubrange(..<next)
      next = 0
    }
  }

  static func bytes(of frames: [[UInt8]]) -> Int {
    frames.reduce(0) { $0 + $1.count }
  }
}

/// The outboxes of the peers that have one: a rule for who is kept waiting and who is let go.
struct Outboxes {
  let limits: OutboxLimits
  private var boxes: [PeerID: Outbox] = [:]
  private(set) var bytes = 0

  init(limits: OutboxLimits) {
    self.limits = limits
  }

  var isEmpty: Bool { boxes.isEmpty }
  /// Peers that something waits for.
  var peers: [PeerID] { Array(boxes.keys) }

  func isWaiting(_ peer: PeerID) -> Bool { boxes[peer] != nil }

  func first(_ peer: PeerID) -> [[UInt8]]? { boxes[peer]?.first }

  /// - Returns: false when the limits are exceeded, and the peer is to be let go. A single message is
  ///   always kept, however large: the peer is offered it at least.
  mutating func append(_ frames: [[UInt8]], for peer: PeerID) -> Bool {
    let more = Outbox.bytes(of: frames)
    guard hasRoom(for: more, peer), bytes + more <= limits.bytesMax else { return false }
    bytes += more
    boxes[peer, default: Outbox()].append(frames)
    return true
  }

  /// On its own, so that no copy of the box is alive when the box is changed.
  private func hasRoom(for more: Int, _ peer: PeerID) -> Bool {
    guard let box = boxes[peer] else { return true }
    return box.count < limits.messagesMax && box.bytes + more <= limits.bytesPerPeerMax
  }

  mutating func removeFirst(_ peer: PeerID) {
    guard var box = boxes.removeValue(forKey: peer) else { return }
    let before = box.bytes
    box.removeFirst()
    bytes -= before - box.bytes
    if !box.isEmpty { boxes[peer] = box }
  }

  mutating func forget(_ peer: PeerID) {
    guard let box = boxes.removeValue(forKey: peer) else { return }
    bytes -= box.bytes
  }
}

public struct OutboxLimits: Sendable, Equatable {
  /// Messages that wait for one peer, beyond those that its connection holds.
  public var messagesMax = 4_096
  public var bytesPerPeerMax = 96 << 20
  /// Of all peers together.
  public var bytesMax = 512 << 20
  /// How long until a full connection is tried again. libzmq does not say which of a ROUTER's peers
  /// has room.
  public var retryInterval: Duration = .milliseconds(5)

  public init() {}
}
