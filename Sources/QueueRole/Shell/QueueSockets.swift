internal import AccessKeys
internal import RerankdProtocol
internal import ZeroMQ

/// The sockets that the queue listens on. They belong to the loop's thread, which makes them.
struct QueueSockets {
  enum Received {
    /// With the sender's User-Id, where keys are asked for.
    case message([[UInt8]], from: String?)
    case oversized([[UInt8]])
  }

  let context: Context
  let poller: Poller
  let producers: Socket
  let workers: Socket
  let bare: Socket?
  /// Nil where every key may come in, or none is asked for.
  var handshakes: KeyHandshakes?
  let endpoints: QueueEndpoints

  /// Opens and binds. To be called when the ledger is open and its epoch durable.
  init(_ configuration: ShellConfiguration) throws {
    try Context.requireFileDescriptors(configuration.openFilesMax)
    context = try Context(socketsMax: configuration.pushReplies.endpointsMax + 8)
    poller = try Poller()

    var options = SocketOptions()
    options.frameBytesMax = configuration.peers.wire.frameBytesMax
    options.sendMessagesMax = configuration.socketSendMessagesMax
    options.receiveMessagesMax = configuration.socketReceiveMessagesMax
    options.handshakeTimeout = configuration.handshakeTimeout
    if let path = configuration.curveSecretKeyPath {
      let asksForKeys = configuration.authorizedKeysPath != nil
      options.security = .curveServer(
        try Self.key(path), zapDomain: asksForKeys ? KeyHandshakes.domain : nil)
      if asksForKeys { handshakes = try KeyHandshakes(in: context) }
    }
    producers = try Socket(.router, in: context, options: options)
    workers = try Socket(.router, in: context, options: options)
    let boundProducers = try producers.bind(Endpoint(configuration.producersEndpoint))
    let boundWorkers = try workers.bind(Endpoint(configuration.workersEndpoint))
    var boundBare: Endpoint?
    if let endpoint = configuration.bareEndpoint {
      options.frameBytesMax = Self.bareBytesMax(configuration)
      options.receiveMessagesMax = configuration.bareReceiveMessagesMax
      let socket = try Socket(.pull, in: context, options: options)
      boundBare = try socket.bind(Endpoint(endpoint))
      bare = socket
    } else {
      bare = nil
    }
    endpoints = QueueEndpoints(
      producers: boundProducers.text, workers: boundWorkers.text, bare: boundBare?.text)
    for socket in [producers, workers, bare] {
      if let socket { poller.add(socket) }
    }
    if let handshakes { poller.add(handshakes.socket) }
  }

  private static func key(_ path: String) throws(QueueError) -> CurveKeyPair {
    do {
      return try SecretKeyFile.read(path)
    } catch {
      throw QueueError(.configuration, "shell.curveSecretKeyPath", underlying: error)
    }
  }

  func socket(_ socket: ListenSocket) -> Socket {
    switch socket {
    case .producers: producers
    case .workers: workers
    }
  }

  /// Whether the poller looks for messages at all. It would return at once, again and again, for
  /// messages that are not to be read yet.
  func setReading(_ isReading: Bool) {
    let interest: Poller.Events = isReading ? .readable : []
    poller.setInterest(interest, on: producers)
    poller.setInterest(interest, on: workers)
    if let bare { poller.setInterest(interest, on: bare) }
  }

  func drain(
    _ socket: ListenSocket, _ configuration: ShellConfiguration, _ take: (Received) -> Void
  ) throws(ZeroMQError) {
    let wire = configuration.peers.wire
    let bounds = Socket.MultipartBounds(
      framesMax: wire.framesMax + 1,
      bytesMax: wire.frameBytesMax + wire.headBytesMax + wire.statusBytesMax)
    try drain(self.socket(socket), bounds, configuration, take)
  }

  func drainBare(
    _ configuration: ShellConfiguration, _ take: (Received) -> Void
  ) throws(ZeroMQError) {
    guard let bare else { return }
    let bounds = Socket.MultipartBounds(
      framesMax: 1, bytesMax: Self.bareBytesMax(configuration))
    try drain(bare, bounds, configuration, take)
  }

  private func drain(
    _ socket: Socket, _ bounds: Socket.MultipartBounds, _ configuration: ShellConfiguration,
    _ take: (Received) -> Void
  ) throws(ZeroMQError) {
    var bytes = 0
    for _ in 0..<configuration.drainMessagesMax where bytes < configuration.drainBytesMax {
      switch try socket.receive(bounds: bounds) {
      case .nothing: return
      case .message(let received):
        bytes += Outbox.bytes(of: received.frames)
        take(.message(received.frames, from: received.userID))
      case .oversized(let received, frames: _, bytes: let size):
        bytes += size
        take(.oversized(received.frames))
      }
    }
  }

  /// A bare job is one frame: the largest request and what travels with it.
  private static func bareBytesMax(_ configuration: ShellConfiguration) -> Int {
    configuration.intake.requestBytesMax + 64 << 10
  }
}

/// What the queue is bound to, with the ports that were taken.
public struct QueueEndpoints: Sendable, Equatable {
  public var producers: String
  public var workers: String
  public var bare: String?
}
