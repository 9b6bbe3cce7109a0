import Ledger
import RerankdProtocol

@testable import QueueRole

/// From the open batch to the ledger, and to those who wait for it.
extension QueueProcess {
  func commitAndSend() {
    repeat {
      if let commit = pipeline.seal(nowMs: world.nowMs) { begin(commit) }
      pipeline.withLastSealed { $0.encode(frameTarget: 2_048, limits: .init()) }
      while let batch = pipeline.takeLeaving() { leave(batch) }
    } while pipeline.canSeal
  }

  private func leave(_ batch: OutgoingBatch) {
    var batch = batch
    batch.encode(frameTarget: 2_048, limits: .init())
    for item in batch.items {
      guard case .envelopes(let instance, let envelopes, let endsCall) = item,
        calls[instance.call]?.serial == instance.serial
      else { continue }
      for envelope in envelopes { links[instance.call.peer]?.deliver(envelope) }
      if endsCall { calls[instance.call] = nil }
    }
    // What ended meanwhile may have been removed.
    let isWanted = { [core] (id: JobID) in core.jobs[id] != nil || core.deliveries[id] != nil }
    if let job = batch.unreadable.first(where: isWanted), !host.hasFailedReads {
      world.fail("a payload of job \(job) is not in the ledger")
    }
  }

  /// Hands the batch to the ledger's thread.
  private func begin(_ commit: BatchPipeline.Commit) {
    let isSlow = world.has(.slowDisk) && draw.chance(15)
    if mutant.readsTooEarly { report(commit.reads.map { ($0.0, ledger.read($0.1)) }, afterMs: 1) }
    if mutant.sendsBeforeDurable { pipeline.durable(commit.sequence) }
    world.after(Int64(1 + draw.pick(isSlow ? 1_200 : 10))) { [self] in run(commit) }
  }

  private func run(_ commit: BatchPipeline.Commit) {
    guard isAlive, world.problem == nil else { return }
    let writes = commit.writes
    let atMs = ageMs()
    world.history.hand(writes, atMs: atMs)
    host.armForCommit()
    do {
      for part in mutant.parts(of: writes) { try ledger.commit(part, nowMs: atMs) }
      if host.disk.hasStruck { world.fail("the ledger committed on a disk that failed") }
    } catch {
      guard mutant.ignores(error) else { return host.commitFailed(error) }
      host.disk.forgetStrike()
    }
    world.history.commit()
    world.after(Int64(draw.pick(8))) { [self] in
      mailbox.append(.durable(commit.sequence))
      turn()
    }
    if !commit.reads.isEmpty, !mutant.readsTooEarly { read(commit.reads) }
    host.maintain()
  }

  /// On the reader's thread, one after another: each from the ledger as it is then, and heard of
  /// later.
  private func read(_ reads: [(UInt64, LedgerRead)]) {
    readerFreeMs = max(readerFreeMs, world.nowMs) + Int64(draw.pick(6))
    let isSlow = world.has(.slowDisk) && draw.chance(20)
    let heardAfterMs = Int64(draw.pick(isSlow ? 900 : 6))
    let readMs = readerFreeMs
    readerFreeMs += heardAfterMs
    world.after(readMs - world.nowMs) { [self] in
      guard isAlive else { return }
      report(host.read(reads, ledger), afterMs: heardAfterMs)
    }
  }

  private func report(_ answers: [(UInt64, LedgerReadResult)], afterMs: Int64) {
    world.after(afterMs) { [self] in
      guard isAlive else { return }
      for (ticket, result) in answers {
        if case .failed(let message) = result, !host.hasFailedReads {
          world.fail("a read failed: \(message)")
        }
        mailbox.append(.read(ticket, result))
      }
      turn()
    }
  }
}
