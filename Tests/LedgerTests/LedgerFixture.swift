import Foundation
import RerankdProtocol
import Synchronization
import TestSupport
import Testing

@testable import Ledger

/// A ledger's path in a folder of its own, and how the tests open it.
struct LedgerFixture {
  static let shard: UInt16 = 3
  static let now: Int64 = 1_790_000_000_000

  let folder: TemporaryFolder
  var configuration: LedgerConfiguration

  init() throws {
    folder = try TemporaryFolder("ledger")
    configuration = LedgerConfiguration(path: folder.path("queue.db"))
    // A test waits for the sweep, and a small ledger's sweep costs nothing.
    configuration.retention.intervalMs = 5
  }

  func open(wallMs: Int64 = now) throws -> (Ledger, RecoveredLedger) {
    try Ledger.open(
      configuration, shard: Self.shard, wallMs: wallMs,
      onFailure: { Issue.record("the ledger failed: \($0)") })
  }

  /// Opens, works and closes.
  func withLedger<Value>(
    wallMs: Int64 = now, _ body: (Ledger, RecoveredLedger) async throws -> Value
  ) async throws -> Value {
    let (ledger, recovered) = try open(wallMs: wallMs)
    do {
      let value = try await body(ledger, recovered)
      ledger.close()
      return value
    } catch {
      ledger.close()
      throw error
    }
  }

  /// What a process that dies now would leave behind, as a ledger of its own.
  func copy() throws -> LedgerFixture {
    var copy = try LedgerFixture()
    copy.configuration = configuration
    copy.configuration.path = copy.folder.path("queue.db")
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(
        atPath: configuration.path + suffix, toPath: copy.configuration.path + suffix)
    }
    return copy
  }

  /// Runs SQL on the ledger's only writing connection, without its threads.
  func withWriter<Value>(_ body: (LedgerWriter) throws -> Value) throws -> Value {
    let file = try LedgerFile(locking: configuration.path)
    defer { file.unlock() }
    let writer = try LedgerWriter(
      path: file.path, shard: Self.shard, configuration: configuration)
    _ = try writer.recover()
    let value = try body(writer)
    try writer.close()
    return value
  }
}

extension Ledger {
  /// Returns when the writes are durable.
  func commit(_ writes: [LedgerWrite]) async {
    await withCheckedContinuation { continuation in
      commit(
        LedgerBatch(writes: writes), onDurable: { continuation.resume() }, onRead: { _, _ in })
    }
  }

  func read(_ read: LedgerRead, after writes: [LedgerWrite] = []) async -> LedgerReadResult {
    await withCheckedContinuation { continuation in
      commit(
        LedgerBatch(writes: writes, reads: [(1, read)]), onDurable: {},
        onRead: { _, result in continuation.resume(returning: result) })
    }
  }

  /// nil when there is no such job.
  func job(_ sequence: UInt64) async throws -> StoredJob? {
    let result = await read(.job(.test(sequence), withRequest: true, withAttempts: true))
    guard case .job(let job) = result else { throw UnexpectedResult(result: result) }
    return job
  }
}

struct UnexpectedResult: Error {
  var result: LedgerReadResult
}

extension JobID {
  static func test(_ sequence: UInt64) -> JobID {
    JobID(shard: LedgerFixture.shard, sequence: sequence)
  }
}

extension JobRecord {
  static func test(
    _ sequence: UInt64, key: String? = nil, channel: String? = nil, submittedMs: Int64? = nil,
    bodyBytes: Int = 4, bodyChunks: UInt32 = 0, model: String = "reranker",
    tenant: String = "default", state: JobStateRecord = .test(.ready)
  ) -> JobRecord {
    JobRecord(
      id: .test(sequence), model: model, tenant: tenant, priority: -7, idempotencyKey: key,
      payloadHash: key.map { _ in [UInt8](repeating: 9, count: 32) }, replyChannel: channel,
      replyTo: nil, traceparent: "00-ab-cd-01", maxAttempts: 5,
      submittedMs: submittedMs ?? LedgerFixture.now, deadlineAfterMs: 60_000,
      bodyBytes: UInt64(bodyBytes), bodyChunks: bodyChunks, state: state)
  }
}

extension JobStateRecord {
  static func test(
    _ state: JobState, attempt: UInt32 = 0, spent: UInt32 = 0, updatedMs: Int64? = nil
  ) -> JobStateRecord {
    JobStateRecord(
      state: state, deadlineMs: LedgerFixture.now + 60_000, attempt: attempt,
      attemptsSpent: spent, workerID: state == .leased ? "worker-1" : nil,
      leasedAtMs: state == .leased ? LedgerFixture.now : 0,
      updatedMs: updatedMs ?? LedgerFixture.now,
      endCode: state.rawValue >= JobState.dead.rawValue ? 13 : 0,
      endMessage: state.rawValue >= JobState.dead.rawValue ? "no luck" : nil)
  }
}

extension AttemptRow {
  static func test(
    _ sequence: UInt64, _ attempt: UInt32, _ end: AttemptEnd, result: [UInt8]? = nil
  ) -> AttemptRow {
    AttemptRow(
      jobID: .test(sequence), attempt: attempt, workerID: "worker-1",
      startedMs: LedgerFixture.now, endedMs: LedgerFixture.now + 5, end: end,
      code: end == .succeeded ? 0 : 14, message: end == .succeeded ? "" : "HTTP 503",
      result: result)
  }
}

extension DeliveryRow {
  static func test(
    _ sequence: UInt64, _ state: DeliveryState, attempts: UInt32 = 0
  ) -> DeliveryRow {
    DeliveryRow(
      jobID: .test(sequence), tenant: "default", channel: "answers", state: state,
      attempts: attempts, updatedMs: LedgerFixture.now)
  }
}

/// The writes of a whole life, from submission to the acknowledged reply, and of its parts.
enum Life {
  static func submitted(
    _ sequence: UInt64, key: String? = nil, body: [UInt8] = [1, 2, 3, 4], tenant: String = "default"
  ) -> [LedgerWrite] {
    [
      .insertJob(
        .test(sequence, key: key, channel: "answers", bodyBytes: body.count, tenant: tenant),
        body: body)
    ]
  }

  static func leased(_ sequence: UInt64) -> [LedgerWrite] {
    [.updateJob(.test(sequence), .test(.leased, attempt: 1, spent: 1))]
  }

  static func succeeded(
    _ sequence: UInt64, result: [UInt8] = [7, 7], updatedMs: Int64? = nil
  ) -> [LedgerWrite] {
    [
      .insertAttempt(.test(sequence, 1, .succeeded, result: result)),
      .updateJob(
        .test(sequence), .test(.succeeded, attempt: 1, spent: 1, updatedMs: updatedMs)),
      .putDelivery(.test(sequence, .pending)),
    ]
  }

  static func acknowledged(_ sequence: UInt64) -> [LedgerWrite] {
    [.putDelivery(.test(sequence, .acknowledged, attempts: 1))]
  }

  static func whole(
    _ sequence: UInt64, key: String? = nil, tenant: String = "default"
  ) -> [LedgerWrite] {
    submitted(sequence, key: key, tenant: tenant) + leased(sequence) + succeeded(sequence)
      + acknowledged(sequence)
  }
}
