internal import CZeroMQ
internal import Glibc
internal import Synchronization

/// A libzmq context: its I/O threads, and the limit on its sockets.
///
/// ZeroMQ in this project: one thread owns a context's sockets, waits in a `Poller`, drains with
/// `receive`, and never blocks in a send. Other threads hand it work under a lock of their own and
/// call `WakeUp.signal()`. Every default of libzmq that matters is set on purpose in
/// `SocketOptions`.
///
/// A round trip of 16 + 1,024 bytes between a DEALER and a ROUTER over tcp takes 5 to 10 µs of CPU
/// for both ends together when 64 are under way, and 63 to 78 µs one at a time, most of them in
/// the kernel; on two Zen 4 cores that other work kept busy, 120,000 and 8,000 a second.
public final class Context: Sendable {
  /// libzmq's contexts are safe to use from every thread, so the pointer may be shared.
  nonisolated(unsafe) let pointer: UnsafeMutableRawPointer
  private let isTerminated = Atomic(false)

  /// - Throws: `ZeroMQError` when the process has too few file descriptors left.
  public init(ioThreads: Int = 1, socketsMax: Int = 64) throws(ZeroMQError) {
    guard let pointer = zmq_ctx_new() else { throw .last("create a ZeroMQ context") }
    self.pointer = pointer
    for (option, value) in [(ZMQ_IO_THREADS, ioThreads), (ZMQ_MAX_SOCKETS, socketsMax)] {
      guard zmq_ctx_set(pointer, option, Int32(clamping: value)) == 0 else {
        throw .last("set context option \(option) to \(value)")
      }
    }
  }

  deinit { terminate() }

  /// Waits until what the closed sockets still had to send is gone, for as long as their linger
  /// allows. Every socket must be closed before. Who must know that all is sent, since the process
  /// ends next, calls it: when the last reference goes is hard to say.
  public func terminate() {
    guard !isTerminated.exchange(true, ordering: .acquiringAndReleasing) else { return }
    while zmq_ctx_term(pointer) != 0, zmq_errno() == EINTR {}
  }

  /// Makes sure that this process may open `count` files, and raises its soft limit where the hard
  /// one allows it. libzmq aborts the process when it runs out of descriptors, so a process that
  /// serves many peers asks at its start.
  public static func requireFileDescriptors(_ count: Int) throws(ZeroMQError) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      throw .last("read the limit on open files")
    }
    guard limit.rlim_cur < UInt(count) else { return }
    let soft = limit.rlim_cur
    limit.rlim_cur = rlim_t(count)
    guard limit.rlim_max >= UInt(count),
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    else {
      throw ZeroMQError(
        code: EMFILE,
        message: "\(count) open files are needed and \(soft) allowed (hard limit "
          + "\(limit.rlim_max)): raise it with `ulimit -n \(count)` or LimitNOFILE=")
    }
  }
}
