import Foundation
import Glibc
public import Scoring

/// Everything that bounds a worker.
public struct WorkerConfiguration: Sendable, Equatable {
  /// Stable over reconnects: 1 to 128 bytes of printable ASCII.
  public var workerID: String
  /// Jobs held at once: in work, or ended and not yet recorded by the queue.
  public var creditJobs: Int
  /// Request bytes of the jobs held at once. One job may have more, and then comes alone.
  public var creditBytes = 64 << 20

  /// How long a job may take here, when its own deadline is not nearer: a backstop. An engine that
  /// hangs loses its jobs by their leases long before, and the largest job takes a core most of an
  /// hour.
  public var jobTimeout = Duration.seconds(3_600)
  /// Documents of one job.
  public var documentsMax = 100_000
  /// Of the windows that jobs have long documents scored in.
  public var windowLimits = WindowLimits()

  /// After the first signal to end, how long jobs in work may take to finish; what is left is then
  /// given back without its attempt being spent.
  public var shutdownGrace = Duration.seconds(30)
  /// How long the queue may take to record what was given back, and to end the stream.
  public var releaseTimeout = Duration.seconds(2)
  /// Bytes of outcomes kept while the queue is away.
  public var unsentOutcomeBytesMax = 64 << 20

  /// After a stream that failed: random up to this, doubled with every failure in a row…
  public var reattachBackoff = Duration.milliseconds(100)
  /// …up to this.
  public var reattachBackoffMax = Duration.seconds(5)
  /// How often engines that could not tell their models are asked again.
  public var modelRefreshInterval = Duration.seconds(10)

  /// - Parameter lanes: how many jobs the engines work on at a time; four times as many are held,
  ///   so that no lane waits for the queue.
  public init(workerID: String? = nil, lanes: Int = 4) {
    self.workerID = workerID ?? Self.defaultWorkerID()
    creditJobs = 4 * lanes
  }

  /// "host-process-random": two workers never share one by accident.
  public static func defaultWorkerID() -> String {
    let host = String(
      ProcessInfo.processInfo.hostName.unicodeScalars.filter { (0x21...0x7E).contains($0.value) }
        .prefix(64).map(Character.init))
    let random = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    return "\(host.isEmpty ? "worker" : host)-\(getpid())-\(random)"
  }
}

extension WorkerConfiguration {
  /// What is wrong with which key.
  public struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
    public var key: String
    public var message: String

    public var description: String { "\(key): \(message)" }
  }

  /// - Throws: ``Invalid`` for the first key that no worker can work with.
  public func validate() throws(Invalid) {
    guard (1...128).contains(workerID.utf8.count),
      workerID.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
    else { throw Invalid(key: "worker_id", message: "must be 1 to 128 printable ASCII characters") }
    let counts = [
      ("credit_jobs", creditJobs, 1...4_096), ("credit_bytes", creditBytes, 1...Int.max),
      ("documents_max", documentsMax, 1...Int.max),
      ("window_overlap_tokens", windowLimits.overlapTokens, 0...Int.max),
      ("document_windows_max", windowLimits.windowsMax, 1...Int.max),
      ("passages_max", windowLimits.passagesMax, 1...Int.max),
      ("unsent_outcome_bytes_max", unsentOutcomeBytesMax, 0...Int.max),
    ]
    for (key, value, range) in counts where !range.contains(value) {
      throw Invalid(
        key: key,
        message: "must be at least \(range.lowerBound)"
          + (range.upperBound < .max ? " and at most \(range.upperBound)" : ""))
    }
    let times = [
      ("job_timeout", jobTimeout), ("release_timeout", releaseTimeout),
      ("reattach_backoff", reattachBackoff), ("reattach_backoff_max", reattachBackoffMax),
      ("model_refresh_interval", modelRefreshInterval),
    ]
    for (key, value) in times where value <= .zero {
      throw Invalid(key: key, message: "must be more than 0")
    }
    guard shutdownGrace >= .zero else {
      throw Invalid(key: "shutdown_grace", message: "must not be negative")
    }
    guard reattachBackoff <= reattachBackoffMax else {
      throw Invalid(key: "reattach_backoff", message: "must not exceed reattach_backoff_max")
    }
  }
}
