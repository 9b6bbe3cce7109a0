import Dispatch
import Foundation
import Synchronization

/// Answers reads one after another, on a thread of its own, so that they hold up no commit.
final class ReaderThread: Sendable {
  typealias Answer = @Sendable (UInt64, LedgerReadResult) -> Void

  private struct Inbox {
    var reads: [(ticket: UInt64, read: LedgerRead, answer: Answer)] = []
    var underWay = 0
    var stops = false
  }

  private let inbox = Mutex(Inbox())
  private let wake = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)
  private let readsQueuedMax: Int

  /// The reader is used by the new thread alone from here on.
  init(_ reader: sending LedgerReader, readsQueuedMax: Int) {
    self.readsQueuedMax = readsQueuedMax
    let handed = Handed(reader)
    let thread = Thread { [self] in run(handed.value) }
    thread.name = "ledger.reader"
    thread.start()
  }

  /// Beyond the limit the answer is a failure, and comes on the caller's thread.
  func enqueue(_ reads: [(UInt64, LedgerRead)], _ answer: @escaping Answer) {
    let refused = inbox.withLock { inbox in
      let room = max(0, readsQueuedMax - inbox.reads.count - inbox.underWay)
      inbox.reads += reads.prefix(room).map { ($0.0, $0.1, answer) }
      return reads.dropFirst(room)
    }
    if refused.count < reads.count { wake.signal() }
    for (ticket, _) in refused {
      answer(ticket, .failed("\(readsQueuedMax) reads are waiting already: try again later"))
    }
  }

  /// Answers what was enqueued, closes the connection and returns when the thread has ended.
  func stop() {
    inbox.withLock { $0.stops = true }
    wake.signal()
    ended.wait()
  }

  private func run(_ reader: LedgerReader) {
    var stops = false
    while !stops {
      wake.wait()
      let reads: [(ticket: UInt64, read: LedgerRead, answer: Answer)]
      (reads, stops) = inbox.withLock { inbox in
        defer {
          inbox.underWay = inbox.reads.count
          inbox.reads = []
        }
        return (inbox.reads, inbox.stops)
      }
      for (ticket, read, answer) in reads { answer(ticket, reader.answer(read)) }
      inbox.withLock { $0.underWay = 0 }
    }
    // A read-only connection has nothing to lose by a failing close.
    try? reader.close()
    ended.signal()
  }
}

/// Carries what is not Sendable to the one thread that uses it from then on.
struct Handed<Value>: @unchecked Sendable {
  /// Unchecked: the sender gives its only reference away, which `sending` makes sure of.
  let value: Value

  init(_ value: sending Value) {
    self.value = value
  }
}
