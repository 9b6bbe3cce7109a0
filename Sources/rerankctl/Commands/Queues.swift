import RerankdClient
import RerankdProtocol

/// A queue and what it is called.
struct NamedQueue: Sendable {
  var endpoint: String
  var client: QueueClient
}

/// The queues (shards) of a command, for what is asked of each by itself; their place in the list is
/// their number, unless there is one alone.
struct Queues: Sendable {
  let all: [NamedQueue]
  /// For what it does over all of them.
  let client: ShardedClient

  init(_ client: ShardedClient) {
    self.client = client
    all = zip(client.configuration.endpoints, client.shards).map {
      NamedQueue(endpoint: "\($0)", client: $1)
    }
  }

  /// The only queue there is.
  ///
  /// - Throws: ``InputError`` where several were named and the command is about one.
  var only: NamedQueue {
    get throws {
      guard all.count == 1 else {
        throw InputError("this is about one queue: name it by --endpoint")
      }
      return all[0]
    }
  }

  func queue(of job: JobID) throws -> NamedQueue {
    // For its error.
    _ = try client.shard(of: job)
    return all.count > 1 ? all[Int(job.shard)] : all[0]
  }

  /// The queues by their shards, and in each where to go on.
  ///
  /// - Parameter last: the job that was dealt with last; queues before its own are left out.
  func inOrder(from last: JobID?) throws -> [(queue: NamedQueue, before: JobID?)] {
    guard let last, all.count > 1 else { return all.map { ($0, last) } }
    let own = try queue(of: last)
    return all[Int(last.shard)...].map { ($0, $0.endpoint == own.endpoint ? last : nil) }
  }
}

extension Queues {
  /// Asks all of them at the same time.
  ///
  /// - Throws: the first queue's `CallError`, when none answers.
  func ask<Value: Sendable>(
    _ body: @escaping @Sendable (QueueClient) async throws(CallError) -> Value
  ) async throws -> QueueAnswers<Value> {
    var answers = QueueAnswers<Value>()
    for answer in await client.each(body) {
      switch answer.result {
      case .success(let value): answers.values.append((all[answer.shard].endpoint, value))
      case .failure(let error):
        answers.failures.append(QueueFailure(endpoint: all[answer.shard].endpoint, error: error))
      }
    }
    if answers.values.isEmpty, let first = answers.failures.first { throw first.error }
    return answers
  }
}

/// What several queues answered, in their order: those that did, and those that did not.
struct QueueAnswers<Value> {
  var values: [(endpoint: String, value: Value)] = []
  var failures: [QueueFailure] = []
}

/// Why a queue did not do its part while others did theirs.
struct QueueFailure {
  var endpoint: String
  var error: CallError

  /// Says which queues are missing in what was printed: a part is no success.
  ///
  /// - Throws: the exit code, where there are any.
  static func report(_ failures: [QueueFailure]) throws {
    guard !failures.isEmpty else { return }
    for failure in failures {
      CommandFailure.say("without the queue at \(failure.endpoint): \(failure.error)")
    }
    throw CommandFailure.unsuccessful
  }
}
