internal import RerankdProtocol
internal import ZeroMQ

/// The thread of a `CallConnection`: takes commands, polls, receives, and does what the multiplexer
/// says. It decides nothing.
final class ConnectionLoop {
  private let configuration: ConnectionConfiguration
  private let mailbox: CommandMailbox
  private let poller: Poller
  private let started = ContinuousClock.now

  private var multiplexer: CallMultiplexer
  private var sinks: [UInt64: CallSink] = [:]
  private var waitingForRoom: [UInt64: [@Sendable () -> Void]] = [:]
  /// Nil once the connection is closed for good.
  private var context: Context?
  private var linksOpened = 0
  private var link: Link?

  /// One life of the connection.
  private struct Link {
    let socket: Socket
    let monitor: SocketMonitor
    var waitsForRoom = false
  }

  init(
    _ configuration: ConnectionConfiguration, mailbox: CommandMailbox, poller: Poller,
    context: Context
  ) {
    self.configuration = configuration
    self.context = context
    self.mailbox = mailbox
    self.poller = poller
    multiplexer = CallMultiplexer(
      configuration: configuration, seed: .random(in: .min ... .max), now: .zero)
  }

  private var now: Duration { ContinuousClock.now - started }

  func run() {
    openLink()
    while true {
      if let done = carryOutCommands() {
        close(done)
        return
      }
      do {
        try exchange()
      } catch {
        perform(
          multiplexer.disconnected(.failed(CallError(.unavailable, error.message)), now: now))
      }
    }
  }

  /// - Returns: who waits for the connection to close, once that was asked for.
  private func carryOutCommands() -> [(@Sendable () -> Void)?]? {
    var closers: [(@Sendable () -> Void)?] = []
    for command in mailbox.takeAll() { carryOut(command, &closers) }
    return closers.isEmpty ? nil : closers
  }

  private func carryOut(_ command: Command, _ closers: inout [(@Sendable () -> Void)?]) {
    switch command {
    case .open(let callID, let start):
      sinks[callID] = start.sink
      let shape: CallMultiplexer.Shape = if case .unary = start.sink { .unary } else { .stream }
      perform(
        multiplexer.open(
          callID: callID, start.method.rawValue, metadata: start.metadata, shape: shape,
          message: start.message, timeout: start.timeout, now: now))
    case .send(let callID, let message, let end, let whenRoom):
      perform(multiplexer.send(callID: callID, message, end: end))
      if multiplexer.hasRoom(callID: callID) {
        whenRoom()
      } else {
        waitingForRoom[callID, default: []].append(whenRoom)
      }
    case .cancel(let callID, let error):
      perform(multiplexer.cancel(callID: callID, error))
    case .close(let done):
      closers.append(done)
    }
  }

  // MARK: The socket

  /// Sends what can be sent, waits, and takes what came in.
  private func exchange() throws(ZeroMQError) {
    try sendAll()
    if let link {
      poller.setInterest(
        link.waitsForRoom ? [.readable, .writable] : .readable, on: link.socket)
    }
    try poller.wait(timeout: multiplexer.nextTick - now)
    // Before anything is received: if this process was stopped for so long that the queue may have
    // forgotten it, what the queue had sent before must not hide that.
    perform(multiplexer.tick(now: now))
    guard let link else { return }
    if poller.events(of: link.socket).contains(.readable) { try receiveBatch(link.socket) }
    // Answers that came before the connection broke still count, so the monitor is read last.
    guard poller.events(of: link.monitor.socket).contains(.readable) else { return }
    while let event = try link.monitor.next() {
      guard let cause = cause(of: event) else { continue }
      try receiveBatch(link.socket)
      perform(multiplexer.disconnected(cause, now: now))
      return
    }
  }

  private func cause(of event: SocketMonitor.Event) -> CallMultiplexer.Disconnection? {
    switch event {
    case .ready: nil
    case .unreachable: configuration.failsWhenUnreachable ? .failed(multiplexer.noQueue) : nil
    case .disconnected: .broken
    case .handshakeFailed:
      .failed(
        CallError(
          .unavailable, "\(configuration.endpoint) is no queue, or its CURVE settings differ"))
    case .authenticationFailed:
      .failed(
        CallError(.unauthenticated, "the queue at \(configuration.endpoint) refuses this key"))
    }
  }

  private func sendAll() throws(ZeroMQError) {
    link?.waitsForRoom = false
    while let socket = link?.socket, let frames = multiplexer.nextToSend(now: now) {
      switch try socket.send(frames) {
      case .sent: perform(multiplexer.didSend(now: now))
      case .wouldBlock, .unreachable:
        link?.waitsForRoom = true
        return
      }
    }
  }

  private func receiveBatch(_ socket: Socket) throws(ZeroMQError) {
    let limits = configuration.limits
    let bounds = Socket.MultipartBounds(
      framesMax: limits.framesMax, bytesMax: limits.frameBytesMax + limits.statusBytesMax + 64)
    for _ in 0..<configuration.receiveBatchMax {
      guard link?.socket === socket else { return }
      switch try socket.receive(bounds: bounds) {
      case .nothing: return
      case .message(let received), .oversized(let received, _, _):
        // What is left of an oversized message is malformed, and the multiplexer says so.
        perform(multiplexer.received(received.frames, now: now))
      }
    }
  }

  private func openLink() {
    guard let context else { return }
    var options = SocketOptions()
    options.frameBytesMax = max(
      configuration.limits.frameBytesMax, configuration.limits.statusBytesMax)
    options.security = configuration.security
    options.linger = configuration.linger
    options.reconnectIntervalMax = configuration.reopenBackoffMax
    linksOpened += 1
    do {
      let socket = try Socket(.dealer, in: context, options: options)
      let monitor = try SocketMonitor(socket, in: context, name: "calls-\(linksOpened)")
      try socket.connect(configuration.endpoint)
      poller.add(socket)
      poller.add(monitor.socket)
      link = Link(socket: socket, monitor: monitor)
    } catch {
      perform(
        multiplexer.disconnected(.failed(CallError(.unavailable, error.message)), now: now))
    }
  }

  private func closeLink() {
    guard let link else { return }
    poller.remove(link.socket)
    poller.remove(link.monitor.socket)
    link.monitor.close()
    link.socket.close()
    self.link = nil
  }

  // MARK: What the multiplexer says

  private func perform(_ actions: [CallMultiplexer.Action]) {
    for action in actions {
      switch action {
      case .deliver(let callID, let message):
        guard case .stream(let inbox) = sinks[callID], !inbox.deliver(message) else { continue }
        perform(
          multiplexer.cancel(
            callID: callID,
            CallError(
              .resourceExhausted,
              "more than \(configuration.streamInboxBytesMax) bytes wait to be read",
              reason: "INBOX_FULL")))
      case .finish(let callID, let result):
        sinks.removeValue(forKey: callID)?.finish(result)
        resumeSenders(of: callID)
      case .room(let callID): resumeSenders(of: callID)
      case .closeSocket: closeLink()
      case .openSocket: openLink()
      }
    }
  }

  private func resumeSenders(of callID: UInt64) {
    for resume in waitingForRoom.removeValue(forKey: callID) ?? [] { resume() }
  }

  private func close(_ closers: [(@Sendable () -> Void)?]) {
    perform(multiplexer.close())
    // The CANCELs are handed over as far as the socket takes them; it sends them within its linger.
    try? sendAll()
    closeLink()
    // Waits for the linger: whoever waits for the connection's end may end the process next.
    context?.terminate()
    context = nil
    for command in mailbox.close() { command.refuse() }
    for done in closers { done?() }
  }
}
