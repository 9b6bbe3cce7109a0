import Dispatch
import Foundation
import Glibc
import Synchronization

/// A TCP proxy on a free loopback port that makes the faults of a network: below what the protocol
/// on it knows, in mid-stream and both ways. The faults of the server itself are ``FakeHub``'s.
///
/// One thread carries everything. It ends, and all connections with it, with ``stop()`` or with the
/// object.
public final class FaultProxy: Sendable {
  public struct Counts: Sendable, Equatable {
    /// Taken from clients; those that were refused never came.
    public var connections = 0
    /// Connections that the proxy reset, closed in the midst, or swallowed.
    public var resets = 0
    public var closes = 0
    public var swallowed = 0
    /// Passed on.
    public var requestBytes = 0
    public var answerBytes = 0
  }

  final class SharedState: Sendable {
    struct Fields {
      var conditions = NetworkConditions.clear
      /// Counts the changes of `conditions`.
      var generation = 0
      var isStopped = false
      var counts = Counts()
    }

    let fields = Mutex(Fields())

    func count(_ change: (inout Counts) -> Void) {
      fields.withLock { change(&$0.counts) }
    }
  }

  public let port: UInt16
  public var baseURL: String { "http://127.0.0.1:\(port)" }

  private let state = SharedState()
  /// Keeps the port while nothing listens on it.
  private let reservation: LoopbackSocket
  private let wakeUp: WakeUp
  private let isOver = DispatchSemaphore(value: 0)

  /// - Parameters:
  ///   - target: the port of this machine that it stands before.
  ///   - seed: of the jitter.
  public init(before target: UInt16, seed: UInt64 = 0) throws {
    reservation = try LoopbackSocket(boundTo: 0, isShared: true)
    port = reservation.port
    wakeUp = try WakeUp()
    let listener = try LoopbackSocket.listening(on: port, isShared: true)
    let (state, wakeUp, isOver, port) = (state, wakeUp, isOver, port)
    Thread.detachNewThread {
      let loop = ProxyLoop(
        state: state, wakeUp: wakeUp, port: port, target: target, listener: listener, seed: seed)
      loop.run()
      isOver.signal()
    }
  }

  deinit {
    stop()
    close(reservation.descriptor)
  }

  /// What holds for all traffic from here on.
  public var conditions: NetworkConditions {
    get { state.fields.withLock(\.conditions) }
    set {
      state.fields.withLock {
        $0.conditions = newValue
        $0.generation += 1
      }
      wakeUp.signal()
    }
  }

  public var counts: Counts { state.fields.withLock(\.counts) }

  /// Ends every connection and returns when the thread has ended; the port refuses from then on.
  public func stop() {
    let wasStopped = state.fields.withLock { fields in
      defer { fields.isStopped = true }
      return fields.isStopped
    }
    guard !wasStopped else { return }
    wakeUp.signal()
    isOver.wait()
  }
}

/// Ends a `poll` from another thread.
final class WakeUp: Sendable {
  let descriptor: Int32
  private let writing: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw SocketError(operation: "pipe", code: errno) }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (descriptor, writing) = (ends[0], ends[1])
  }

  deinit {
    close(descriptor)
    close(writing)
  }

  func signal() {
    // One that is full wakes as well.
    _ = write(writing, [0], 1)
  }

  func clear() {
    var buffer = [UInt8](repeating: 0, count: 64)
    while read(descriptor, &buffer, buffer.count) > 0 {}
  }
}
