import Foundation
import RerankdClient
import RerankdProtocol

/// Looks at the queues for everybody who has the page open: however many browsers ask, each queue
/// is asked once a period. While nobody looks it goes on at a slower pace, so that whoever opens the
/// page sees the last minutes at once.
actor QueueWatch {
  /// What was last known of one queue, and why it is not known better.
  struct Sight: Sendable {
    var seenUnixMs: Int64?
    var status: StatusResponse?
    var workers: [WorkerInfo] = []
    var error: CallError?
  }

  struct Snapshot: Sendable {
    var atUnixMs: Int64
    var sights: [Sight]
  }

  private let queues: [any OperatedQueue]
  private let period: Duration
  private let idlePeriod: Duration
  private var sights: [Sight]
  private(set) var history: QueueHistory
  private var latest: (snapshot: Snapshot, at: ContinuousClock.Instant)?
  private var sampling: Task<Snapshot, Never>?

  /// - Parameters:
  ///   - period: how old an answer may be.
  ///   - idlePeriod: how often the queues are looked at while nobody asks.
  ///   - span: of the history.
  init(
    _ queues: [any OperatedQueue], period: Duration, idlePeriod: Duration, span: Duration
  ) {
    self.queues = queues
    self.period = period
    self.idlePeriod = idlePeriod
    sights = queues.map { _ in Sight() }
    history = QueueHistory(queueCount: queues.count, span: span)
  }

  /// How things are, at most a period ago.
  func current() async -> Snapshot {
    if let latest, ContinuousClock.now - latest.at < period { return latest.snapshot }
    if let sampling { return await sampling.value }
    let task = Task { await sample() }
    sampling = task
    return await task.value
  }

  /// Something was changed: what is known is out of date.
  func expire() {
    latest = nil
  }

  /// Keeps the history going; returns when its task is cancelled.
  func run() async {
    while !Task.isCancelled {
      _ = await current()
      try? await Task.sleep(for: idlePeriod)
    }
  }

  /// What one queue said when it was looked at.
  private struct Look: Sendable {
    var queue: Int
    var status: StatusResponse?
    var workers: [WorkerInfo] = []
    var error: CallError?
  }

  private func sample() async -> Snapshot {
    let looks = await withTaskGroup(of: Look.self) { group in
      for (number, queue) in queues.enumerated() {
        group.addTask {
          var look = Look(queue: number)
          do throws(CallError) {
            let status = try await queue.currentStatus()
            look.workers = try await queue.currentWorkers()
            look.status = status
          } catch {
            look.error = error
          }
          return look
        }
      }
      var looks: [Look] = []
      for await look in group { looks.append(look) }
      return looks
    }
    let now = Int64(Date().timeIntervalSince1970 * 1_000)
    for look in looks {
      if let error = look.error {
        sights[look.queue].error = error
      } else {
        sights[look.queue] = Sight(seenUnixMs: now, status: look.status, workers: look.workers)
      }
    }
    history.add(sights, atUnixMs: now)
    let snapshot = Snapshot(atUnixMs: now, sights: sights)
    latest = (snapshot, .now)
    sampling = nil
    return snapshot
  }
}
