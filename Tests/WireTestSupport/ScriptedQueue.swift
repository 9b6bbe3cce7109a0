import Glibc
public import RerankdProtocol
import Synchronization
public import ZeroMQ

/// The queue's end of the wire for tests: a ROUTER on its own thread that answers what its script
/// says, and keeps what came in.
public final class ScriptedQueue: Sendable {
  public struct Arrival: Sendable {
    /// The sender's routing id.
    public let peer: [UInt8]
    public let envelope: Envelope
  }

  /// Answers one envelope; PINGs are answered already.
  public typealias Script = @Sendable (Envelope) -> [Envelope]

  public let endpoint: Endpoint
  private let loop: Loop

  /// - Parameter answersPings: false plays a queue that hangs.
  public init(
    at endpoint: String = "tcp://127.0.0.1:*", answersPings: Bool = true,
    script: @escaping Script = { _ in [] }
  ) throws {
    let parts = try LoopParts(poller: Poller(), context: Context())
    let socket = try Socket(.router, in: parts.context)
    self.endpoint = try Self.bind(socket, to: Endpoint(endpoint))
    parts.poller.add(socket)
    let loop = Loop(wakeUp: parts.poller.wakeUp)
    self.loop = loop
    let owned = Owned(parts: parts, socket: socket)
    try SocketThread.start(named: "scripted-queue") {
      loop.run(owned, answersPings: answersPings, script: script)
    }
  }

  /// A port that was free a moment ago may be taken for one more: by libzmq's own threads, or by
  /// somebody's outgoing connection.
  private static func bind(_ socket: Socket, to endpoint: Endpoint) throws -> Endpoint {
    var attempts = 0
    while true {
      do {
        return try socket.bind(endpoint)
      } catch {
        attempts += 1
        guard error.code == EADDRINUSE, attempts < 500 else { throw error }
        usleep(20_000)
      }
    }
  }

  deinit { loop.stop() }

  /// Everything but PINGs and PONGs that has come in.
  public var arrivals: [Arrival] { loop.state.withLock(\.arrivals) }

  /// The first arrival that fits, waited for.
  public func arrival(
    where fits: @Sendable (Envelope) -> Bool, within limit: Duration = .seconds(10)
  ) async throws -> Arrival {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
      if let found = arrivals.first(where: { fits($0.envelope) }) { return found }
      try await Task.sleep(for: .milliseconds(2))
    }
    throw NoSuchArrival(arrivals: arrivals)
  }

  public struct NoSuchArrival: Error {
    public let arrivals: [Arrival]
  }

  public func send(_ envelope: Envelope, to peer: [UInt8]) {
    send(frames: envelope.frames(), to: peer)
  }

  public func send(frames: [[UInt8]], to peer: [UInt8]) {
    loop.state.withLock { $0.outbox.append([peer] + frames) }
    loop.wakeUp.signal()
  }

  /// Ends as a killed queue does: the connections break. Returns when the port is free again.
  public func stop() async {
    loop.stop()
    while !loop.state.withLock(\.hasStopped) { try? await Task.sleep(for: .milliseconds(2)) }
  }
}

private struct LoopParts {
  let poller: Poller
  let context: Context
}

/// Unchecked because sockets are for one thread: the initializer hands all of it to the loop's.
private struct Owned: @unchecked Sendable {
  let parts: LoopParts
  let socket: Socket
}

private final class Loop: Sendable {
  struct State {
    var arrivals: [ScriptedQueue.Arrival] = []
    var outbox: [[[UInt8]]] = []
    var isStopping = false
    var hasStopped = false
  }

  let state = Mutex(State())
  let wakeUp: WakeUp

  init(wakeUp: WakeUp) {
    self.wakeUp = wakeUp
  }

  func stop() {
    state.withLock { $0.isStopping = true }
    wakeUp.signal()
  }

  func run(_ owned: Owned, answersPings: Bool, script: ScriptedQueue.Script) {
    defer { state.withLock { $0.hasStopped = true } }
    defer { owned.socket.close() }
    while !state.withLock(\.isStopping) {
      do {
        try owned.parts.poller.wait(timeout: nil)
        while case .message(let received) = try owned.socket.receive(
          bounds: .init(framesMax: 8, bytesMax: 8 << 20))
        {
          try answer(received.frames, owned.socket, answersPings, script)
        }
        for frames in state.withLock({ state in
          defer { state.outbox = [] }
          return state.outbox
        }) {
          _ = try owned.socket.send(frames)
        }
      } catch {
        return
      }
    }
  }

  private func answer(
    _ frames: [[UInt8]], _ socket: Socket, _ answersPings: Bool, _ script: ScriptedQueue.Script
  ) throws {
    guard let peer = frames.first, let envelope = try? Envelope(frames: Array(frames.dropFirst()))
    else { return }
    switch envelope.body {
    case .ping:
      if answersPings { _ = try socket.send([peer] + Envelope.pong.frames()) }
    case .pong: break
    default:
      state.withLock { $0.arrivals.append(.init(peer: peer, envelope: envelope)) }
      for answer in script(envelope) { _ = try socket.send([peer] + answer.frames()) }
    }
  }
}
