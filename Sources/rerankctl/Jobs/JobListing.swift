import RerankdClient
import RerankdProtocol

/// The jobs of all queues that a filter lets through, newest first, a page of each at a time.
///
/// Ids grow with time in one queue alone, so queues are merged by when their jobs were submitted. Of
/// several queues one that fails is left out from there on, and named in ``failures``.
struct JobListing {
  /// What the queue gives at once.
  static let pageMax = 1_000

  private var lanes: [Lane]

  private struct Lane {
    let queue: NamedQueue
    var request: ListJobsRequest
    /// Newest last.
    var page: [JobDetails] = []
    var isExhausted = false
    var failure: CallError?

    mutating func fill() async throws {
      while page.isEmpty, !isExhausted {
        let answer = try await queue.client.jobs(request)
        page = answer.jobs.reversed()
        request.beforeJobID = answer.nextBeforeJobID
        isExhausted = answer.nextBeforeJobID == 0
      }
    }
  }

  /// - Parameters:
  ///   - before: only jobs before this one, of its own queue.
  ///   - pageMax: jobs of one call at most; where more are asked for, ``pageMax``.
  init(
    _ queues: [NamedQueue], _ request: ListJobsRequest, before: JobID? = nil, pageMax: Int
  ) {
    lanes = queues.map { queue in
      var lane = Lane(queue: queue, request: request)
      lane.request.beforeJobID = before?.rawValue ?? 0
      lane.request.limit = UInt32(min(max(1, pageMax), Self.pageMax))
      return lane
    }
  }

  /// The queues whose jobs are missing.
  var failures: [QueueFailure] {
    lanes.compactMap { lane in
      lane.failure.map { QueueFailure(endpoint: lane.queue.endpoint, error: $0) }
    }
  }

  /// nil after the last one.
  ///
  /// - Throws: `CallError` when the only queue fails, or all of them have.
  mutating func next() async throws -> JobDetails? {
    for index in lanes.indices {
      do {
        try await lanes[index].fill()
      } catch let error as CallError {
        (lanes[index].failure, lanes[index].isExhausted) = (error, true)
        if lanes.allSatisfy({ $0.failure != nil }) { throw error }
      }
    }
    let newest = lanes.indices.filter { !lanes[$0].page.isEmpty }.max {
      (lanes[$0].page.last?.submittedUnixMs ?? 0) < (lanes[$1].page.last?.submittedUnixMs ?? 0)
    }
    guard let newest else { return nil }
    return lanes[newest].page.popLast()
  }

  /// Up to so many.
  mutating func next(_ count: Int) async throws -> [JobDetails] {
    var found: [JobDetails] = []
    while found.count < count, let next = try await next() { found.append(next) }
    return found
  }
}
