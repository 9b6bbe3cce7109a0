import Synchronization
import ZeroMQ

/// Stands between a queue and its peers, and has each side take the other for one of another
/// version of the protocol: it changes the version in the header of each of that side's messages.
final class VersionRelay: Sendable {
  enum Side: Sendable { case queue, peer }

  let endpoint: Endpoint
  private let pump: Pump

  init(to queue: String, speaking versions: [Side: UInt8]) throws {
    let context = try Context()
    let front = try Socket(.router, in: context)
    endpoint = try front.bind(Endpoint("tcp://127.0.0.1:*"))
    let sockets = try Sockets(context: context, front: front, queue: Endpoint(queue))
    let pump = Pump(versions: versions, wakeUp: sockets.poller.wakeUp)
    self.pump = pump
    try SocketThread.start(named: "version-relay") { pump.run(sockets) }
  }

  deinit { pump.change { $0.isStopping = true } }

  /// From now on both sides speak what they do.
  func passUnchanged() { pump.change { $0.versions = [:] } }
}

/// Unchecked because sockets are for one thread: the initializer hands all of it to the pump's.
private final class Sockets: @unchecked Sendable {
  private static let bounds = Socket.MultipartBounds(framesMax: 16, bytesMax: 8 << 20)

  let poller: Poller
  private let context: Context
  private let front: Socket
  private let queue: Endpoint
  /// By the peer's routing id: to the queue each is a connection of its own.
  private var backs: [[UInt8]: Socket] = [:]

  init(context: Context, front: Socket, queue: Endpoint) throws {
    (self.context, self.front, self.queue) = (context, front, queue)
    poller = try Poller()
    poller.add(front)
  }

  func pass(_ versions: [VersionRelay.Side: UInt8]) throws {
    try poller.wait(timeout: nil)
    while case .message(let message) = try front.receive(bounds: Self.bounds) {
      guard let peer = message.frames.first else { continue }
      let back = try backs[peer] ?? connect(peer)
      _ = try back.send(message.frames.dropFirst().speaking(versions[.peer]))
    }
    for (peer, back) in backs {
      while case .message(let message) = try back.receive(bounds: Self.bounds) {
        _ = try front.send([peer] + message.frames[...].speaking(versions[.queue]))
      }
    }
  }

  private func connect(_ peer: [UInt8]) throws -> Socket {
    var options = SocketOptions()
    options.queuesWithoutPeer = true
    let back = try Socket(.dealer, in: context, options: options)
    try back.connect(queue)
    poller.add(back)
    backs[peer] = back
    return back
  }

  func close() {
    for socket in backs.values + [front] {
      poller.remove(socket)
      socket.close()
    }
  }
}

private final class Pump: Sendable {
  struct State {
    var versions: [VersionRelay.Side: UInt8]
    var isStopping = false
  }

  private let state: Mutex<State>
  private let wakeUp: WakeUp

  init(versions: [VersionRelay.Side: UInt8], wakeUp: WakeUp) {
    state = Mutex(State(versions: versions))
    self.wakeUp = wakeUp
  }

  func change(_ body: (inout State) -> Void) {
    state.withLock { body(&$0) }
    wakeUp.signal()
  }

  func run(_ sockets: Sockets) {
    defer { sockets.close() }
    while !state.withLock(\.isStopping) {
      do {
        try sockets.pass(state.withLock(\.versions))
      } catch {
        // The test sees that nothing passes any more.
        return
      }
    }
  }
}

extension ArraySlice<[UInt8]> {
  /// The version is the third byte of the first frame, in every version.
  fileprivate func speaking(_ version: UInt8?) -> [[UInt8]] {
    var frames = Array(self)
    if let version, let header = frames.first, header.count > 2 { frames[0][2] = version }
    return frames
  }
}
