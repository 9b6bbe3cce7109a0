internal import CZeroMQ
internal import Glibc

/// A thread for a loop that owns sockets and blocks in a `Poller`, which Swift's cooperative
/// threads must never do.
public enum SocketThread {
  /// Starts a detached thread that ends with `body`.
  ///
  /// - Parameter name: shown by ps and debuggers; Linux keeps 15 bytes of it.
  public static func start(
    named name: String, _ body: @escaping @Sendable () -> Void
  ) throws(ZeroMQError) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        czeromq_set_thread_name(String(start.name.prefix(15)))
        start.body()
        return nil
      }, start.toOpaque())
    guard result == 0 else {
      start.release()
      throw ZeroMQError(code: result, message: "cannot start the thread '\(name)'")
    }
    pthread_detach(thread)
  }

  private final class Start {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
