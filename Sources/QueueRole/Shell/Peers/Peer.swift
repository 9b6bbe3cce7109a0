internal import RerankdProtocol

/// Which of the queue's two call sockets.
enum ListenSocket: Hashable, Sendable {
  case producers, workers

  /// Work is spoken on the workers' socket and nothing else, so that each can be given its own
  /// firewall rule and its own keys.
  func serves(_ method: RerankdProtocol.Method) -> Bool {
    (method == .attach) == (self == .workers)
  }
}

/// How libzmq knows a peer. The id is libzmq's own: a zero byte and 32 bits.
struct RoutingKey: Hashable, Sendable {
  var socket: ListenSocket
  var number: UInt32

  /// Nil for an id that the peer has chosen itself: another could choose it, too.
  init?(_ socket: ListenSocket, routingID: [UInt8]) {
    guard routingID.count == 5, routingID[0] == 0 else { return nil }
    self.socket = socket
    number = routingID.dropFirst().reduce(0) { $0 << 8 | UInt32($1) }
  }
}

/// A call, and which of the calls that ever had its id: while a message is being looked at, the peer
/// may have ended the call and opened another under the same id.
struct CallInstance: Hashable, Sendable {
  var call: CallRef
  var serial: UInt64
}

/// A connection as `PeerTable` keeps it. A class, so that it is changed in place.
final class Peer {
  let id: PeerID
  let key: RoutingKey
  let routingID: [UInt8]
  /// Of the connection's messages, and who that is.
  let userID: String?
  var caller: Caller
  var lastHeardMs: Int64
  /// When the core was last told that the peer is alive.
  var reportedHeardMs: Int64 = 0
  var calls: [UInt64: PeerCall] = [:]
  /// How many of `calls` are cancelled: they no longer count for the peer.
  var cancelledCalls = 0
  /// Bytes of unfinished messages of all its calls.
  var assemblingBytes = 0

  init(
    id: PeerID, key: RoutingKey, routingID: [UInt8], userID: String?, caller: Caller, nowMs: Int64
  ) {
    self.id = id
    self.key = key
    self.routingID = routingID
    self.userID = userID
    self.caller = caller
    lastHeardMs = nowMs
  }

  var servedCalls: Int { calls.count - cancelledCalls }
}

/// A call from OPEN until its STATUS has left, or its CANCEL is through the validator. A class as
/// well: a copy of it, however short-lived, would make the next fragment copy all the fragments
/// before it.
final class PeerCall {
  enum Phase {
    /// Goes to `ending` when the core or the shell decides its end; is removed when a CANCEL is
    /// through the validator, and with its peer.
    case open
    /// Its STATUS waits for a batch to be durable. Is removed when that leaves, and by CANCEL.
    case ending
  }

  let method: RerankdProtocol.Method
  let serial: UInt64
  /// Monotonic; nil: none was set.
  let deadlineMs: Int64?
  var phase = Phase.open
  /// The client has said CANCEL, which follows what it said before through the validator.
  var isCancelled = false
  var assembler: MessageAssembler
  var window: ReceiveWindow
  /// Whole messages handed to the validator so far.
  var messages = 0
  /// The client has said END, or has sent the one message of a unary call.
  var isHalfClosed = false
  /// The core has had an input of this call, and is to hear when it ends otherwise.
  var isKnownToCore = false

  /// Whether the client may say more, and is owed a STATUS.
  var isServed: Bool { phase == .open && !isCancelled }

  init(
    method: RerankdProtocol.Method, serial: UInt64, deadlineMs: Int64?, limits: ProtocolLimits
  ) {
    self.method = method
    self.serial = serial
    self.deadlineMs = deadlineMs
    assembler = MessageAssembler(limits: limits)
    window = ReceiveWindow(limits: limits)
  }
}
