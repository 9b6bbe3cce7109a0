/// One producer with its worker and its consumer: the jobs that it has in flight go through four
/// durable steps on lists of the lane's own.
///
///     put      RPUSH jobs PAYLOAD
///     lease    LMOVE jobs taken LEFT RIGHT         blocking: BLMOVE
///     complete LPOP taken, RPUSH replies RESULT
///     take     LPOP replies                        blocking: BLPOP
///
/// Everything is first in, first out, so the job that completes is the head of `taken`.
final class RedisLane {
  enum Step {
    case put
    case lease
    case remove
    case result
    case take
  }

  /// How the steps find one another.
  enum Arrangement: String, CaseIterable, Sendable {
    /// One connection; the answer to a step starts the job's next one.
    case steps
    /// Four connections; lease and take wait in the server, so that a job is leased in the same
    /// turn, and by the same sync, that puts it, and a reply is taken by the one that completes it.
    case blocking
  }

  private let index: Int
  private let arrangement: Arrangement
  private let recorder: LifecycleRecorder
  private let put: RedisConnection
  private let lease: RedisConnection
  private let complete: RedisConnection
  private let take: RedisConnection
  private let commands: Commands
  private var startedAt: [Int64]
  private(set) var inFlight = 0
  private var isStopping = false

  init(
    index: Int, depth: Int, arrangement: Arrangement, port: UInt16, payloadBytes: Int,
    recorder: LifecycleRecorder
  ) throws {
    self.index = index
    self.arrangement = arrangement
    self.recorder = recorder
    put = try RedisConnection(port: port)
    switch arrangement {
    case .steps:
      lease = put
      complete = put
      take = put
    case .blocking:
      lease = try RedisConnection(port: port)
      complete = try RedisConnection(port: port)
      take = try RedisConnection(port: port)
    }
    commands = Commands(lane: index, arrangement: arrangement, payloadBytes: payloadBytes)
    startedAt = [Int64](repeating: 0, count: depth)
  }

  var connections: [RedisConnection] {
    arrangement == .steps ? [put] : [put, lease, complete, take]
  }

  /// Fills the window; from then on every reply that is taken starts the next job.
  func start() {
    for slot in startedAt.indices {
      if arrangement == .blocking {
        send(.lease, slot: 0, on: lease)
        send(.take, slot: 0, on: take)
      }
      startJob(slot: slot)
    }
  }

  /// What is in flight goes on to its end.
  func stop() {
    isStopping = true
  }

  func handle(_ expectation: RedisConnection.Expectation, _ reply: RedisReply) {
    switch (expectation.step, reply) {
    case (.put, _):
      recorder.submitAcknowledged(
        after: monotonicNanoseconds() - startedAt[expectation.slot])
      if arrangement == .steps { send(.lease, slot: expectation.slot, on: lease) }
    case (.lease, .bulk(let slot)):
      send(.remove, slot: slot, on: complete)
      send(.result, slot: slot, on: complete)
      if arrangement == .blocking { send(.lease, slot: 0, on: lease) }
    case (.remove, _):
      break
    case (.result, _):
      if arrangement == .steps { send(.take, slot: expectation.slot, on: take) }
    case (.take, .bulk(let slot)):
      recorder.replied(after: monotonicNanoseconds() - startedAt[slot])
      recorder.completed()
      inFlight -= 1
      if arrangement == .blocking { send(.take, slot: 0, on: take) }
      if !isStopping { startJob(slot: slot) }
    case (.lease, _), (.take, _):
      preconditionFailure("a step of redis lane \(index) came before the one it follows")
    }
  }

  private func startJob(slot: Int) {
    inFlight += 1
    startedAt[slot] = monotonicNanoseconds()
    send(.put, slot: slot, on: put)
  }

  private func send(_ step: Step, slot: Int, on connection: RedisConnection) {
    connection.send(
      commands.bytes(of: step, slot: slot),
      expecting: RedisConnection.Expectation(lane: index, step: step, slot: slot))
  }
}

/// The lane's commands in Redis's protocol, made once.
private struct Commands {
  /// About what a small RerankResult takes.
  private static let resultBytes = 100

  private var put: [UInt8]
  private let lease: [UInt8]
  private let remove: [UInt8]
  private var result: [UInt8]
  private let take: [UInt8]
  private let payloadBytes: Int

  init(lane: Int, arrangement: RedisLane.Arrangement, payloadBytes: Int) {
    self.payloadBytes = payloadBytes
    let blank = String(repeating: "x", count: payloadBytes)
    put = Self.encode(["RPUSH", "jobs:\(lane)", blank])
    remove = Self.encode(["LPOP", "taken:\(lane)"])
    result = Self.encode([
      "RPUSH", "replies:\(lane)", String(repeating: "y", count: Self.resultBytes),
    ])
    switch arrangement {
    case .steps:
      lease = Self.encode(["LMOVE", "jobs:\(lane)", "taken:\(lane)", "LEFT", "RIGHT"])
      take = Self.encode(["LPOP", "replies:\(lane)"])
    case .blocking:
      lease = Self.encode(["BLMOVE", "jobs:\(lane)", "taken:\(lane)", "LEFT", "RIGHT", "0"])
      take = Self.encode(["BLPOP", "replies:\(lane)", "0"])
    }
  }

  func bytes(of step: RedisLane.Step, slot: Int) -> [UInt8] {
    switch step {
    case .put: tagged(put, valueBytes: payloadBytes, slot: slot)
    case .lease: lease
    case .remove: remove
    case .result: tagged(result, valueBytes: Self.resultBytes, slot: slot)
    case .take: take
    }
  }

  /// The command with the slot's number as the first digits of its last argument.
  private func tagged(_ command: [UInt8], valueBytes: Int, slot: Int) -> [UInt8] {
    var command = command
    let start = command.count - 2 - valueBytes
    var rest = slot
    for digit in (0..<RedisConnection.tagDigits).reversed() {
      command[start + digit] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
    return command
  }

  private static func encode(_ words: [String]) -> [UInt8] {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    return bytes
  }
}
