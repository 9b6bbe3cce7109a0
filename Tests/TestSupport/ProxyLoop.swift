import Glibc
import Synchronization

/// The thread of a ``FaultProxy``.
final class ProxyLoop {
  private let state: FaultProxy.SharedState
  private let wakeUp: WakeUp
  private let port: UInt16
  private let target: UInt16
  private var listener: LoopbackSocket?
  private var connections: [ProxyConnection] = []
  private var conditions = NetworkConditions.clear
  private var generation = 0
  private var random: SeededGenerator

  init(
    state: FaultProxy.SharedState, wakeUp: WakeUp, port: UInt16, target: UInt16,
    listener: LoopbackSocket, seed: UInt64
  ) {
    self.state = state
    self.wakeUp = wakeUp
    self.port = port
    self.target = target
    self.listener = listener
    random = SeededGenerator(seed: seed)
  }

  func run() {
    while takeOrders() {
      if !conditions.isStill {
        for connection in connections { connection.move(conditions, state, &random) }
        connections.removeAll(where: \.isOver)
      }
      waitAndAccept()
    }
    for connection in connections { connection.reset() }
    if let listener { close(listener.descriptor) }
  }

  /// - Returns: whether to go on.
  private func takeOrders() -> Bool {
    wakeUp.clear()
    let (new, newest, isStopped) = state.fields.withLock {
      ($0.conditions, $0.generation, $0.isStopped)
    }
    guard !isStopped else { return false }
    guard newest != generation else { return true }
    generation = newest
    conditions = new
    if new.entrance == .refused, let listener {
      close(listener.descriptor)
      self.listener = nil
    } else if new.entrance != .refused, listener == nil {
      // The port is kept for it, so this fails only where the machine does.
      listener = try? LoopbackSocket.listening(on: port, isShared: true)
    }
    for connection in connections {
      switch new.entrance {
      case .open: break
      case .refused, .reset:
        connection.reset()
        state.count { $0.resets += 1 }
      case .blackHole: swallow(connection)
      }
      connection.conditionsChanged()
    }
    connections.removeAll(where: \.isOver)
    return true
  }

  /// Until something can move, or is due.
  private func waitAndAccept() {
    var waiting = [pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0)]
    var timeout: Int32 = -1
    let now = ContinuousClock.now
    if !conditions.isStill {
      // One that is not there is passed over.
      waiting.append(
        pollfd(fd: listener?.descriptor ?? -1, events: Int16(POLLIN), revents: 0))
      for connection in connections {
        waiting += connection.interests
        guard let due = connection.due else { continue }
        let left = Int32((max(now.duration(to: due), .zero) / .milliseconds(1)).rounded(.up))
        timeout = timeout < 0 ? left : min(timeout, left)
      }
    }
    guard poll(&waiting, nfds_t(waiting.count), timeout) > 0, waiting.count > 1,
      waiting[1].revents != 0
    else { return }
    accept()
  }

  private func accept() {
    guard let listener else { return }
    let client = Glibc.accept(listener.descriptor, nil, nil)
    guard client >= 0 else { return }
    _ = fcntl(client, F_SETFD, FD_CLOEXEC)
    state.count { $0.connections += 1 }
    guard conditions.entrance != .reset,
      let server = try? LoopbackSocket(connectedTo: target)
    else {
      state.count { $0.resets += 1 }
      return resetAndClose(client)
    }
    let connection = ProxyConnection(client: client, server: server.descriptor)
    if conditions.entrance == .blackHole { swallow(connection) }
    connections.append(connection)
  }

  private func swallow(_ connection: ProxyConnection) {
    guard !connection.isDead else { return }
    connection.swallow()
    state.count { $0.swallowed += 1 }
  }
}

func resetAndClose(_ descriptor: Int32) {
  var option = linger(l_onoff: 1, l_linger: 0)
  setsockopt(
    descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  close(descriptor)
}
