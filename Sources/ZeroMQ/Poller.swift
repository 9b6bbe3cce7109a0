internal import CZeroMQ
internal import Glibc

/// Waits on sockets and a `WakeUp`, level-triggered: a socket with messages left is ready again at
/// the next wait. Used by one thread, the owner of the sockets.
public final class Poller {
  public struct Events: OptionSet, Sendable {
    public let rawValue: Int16
    public init(rawValue: Int16) { self.rawValue = rawValue }

    public static let readable = Events(rawValue: Int16(ZMQ_POLLIN))
    public static let writable = Events(rawValue: Int16(ZMQ_POLLOUT))
  }

  public let wakeUp: WakeUp
  /// Item 0 is the wake-up; item n + 1 belongs to socket n.
  private var items: [zmq_pollitem_t]
  private var sockets: [Socket] = []

  public init() throws(ZeroMQError) {
    wakeUp = try WakeUp()
    items = [
      zmq_pollitem_t(
        socket: nil, fd: wakeUp.fileDescriptor, events: Int16(ZMQ_POLLIN), revents: 0)
    ]
  }

  public func add(_ socket: Socket, _ interest: Events = .readable) {
    sockets.append(socket)
    items.append(
      zmq_pollitem_t(socket: socket.pointer, fd: 0, events: interest.rawValue, revents: 0))
  }

  /// To be called before the socket is closed.
  public func remove(_ socket: Socket) {
    guard let index = index(of: socket) else { return }
    sockets.remove(at: index)
    items.remove(at: index + 1)
  }

  /// What to wait for on a socket from now on. A socket is nearly always writable, so ask for that
  /// only while something waits to be sent.
  public func setInterest(_ interest: Events, on socket: Socket) {
    guard let index = index(of: socket) else { return }
    items[index + 1].events = interest.rawValue
  }

  /// Waits until a socket is ready, the wake-up is signalled or the time is over. Nil waits without
  /// an end. A signal handler's interruption counts as the end of the wait.
  public func wait(timeout: Duration?) throws(ZeroMQError) {
    for index in items.indices { items[index].revents = 0 }
    let milliseconds = timeout.map { Int($0.pollMilliseconds) } ?? -1
    let ready = zmq_poll(&items, Int32(items.count), milliseconds)
    guard ready >= 0 else {
      guard zmq_errno() == EINTR else { throw .last("poll \(sockets.count) sockets") }
      return
    }
    if items[0].revents != 0 { wakeUp.forget() }
  }

  /// What the last wait found out about a socket.
  public func events(of socket: Socket) -> Events {
    index(of: socket).map { Events(rawValue: items[$0 + 1].revents) } ?? []
  }

  /// A role polls a handful of sockets, so a search beats a table.
  private func index(of socket: Socket) -> Int? {
    sockets.firstIndex { $0 === socket }
  }
}
