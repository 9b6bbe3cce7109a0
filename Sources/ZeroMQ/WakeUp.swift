internal import CZeroMQ
internal import Glibc
internal import Synchronization

/// Wakes a thread that waits in a `Poller`, from any other thread.
///
/// The order that makes it safe: put the work where the thread looks for it, then `signal()`. The
/// poller forgets the signal before its thread looks.
public final class WakeUp: Sendable {
  let fileDescriptor: Int32
  /// Spares the system call when a signal is on its way already.
  private let isSignalled = Atomic(false)

  init() throws(ZeroMQError) {
    fileDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard fileDescriptor >= 0 else { throw .last("create an eventfd") }
  }

  deinit {
    close(fileDescriptor)
  }

  public func signal() {
    guard !isSignalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
    // Fails only when the counter is full, and then the poller is woken as well.
    eventfd_write(fileDescriptor, 1)
  }

  func forget() {
    var count: eventfd_t = 0
    eventfd_read(fileDescriptor, &count)
    isSignalled.store(false, ordering: .sequentiallyConsistent)
  }
}
