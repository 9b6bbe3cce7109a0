import Ledger

@testable import QueueRole

/// What a world may do to the queue.
public enum Fault: String, CaseIterable, Sendable {
  /// The queue's process is killed; what it wrote is there.
  case kill
  /// The power goes: what was not synced is there or not, or in part.
  case powerCut
  /// Either of them in the middle of what the ledger writes.
  case deathInCommit
  /// A write or a sync fails, and with it the queue's process.
  case writeError
  case readError
  case diskFull
  case slowDisk
  /// The queue's process is stopped for a while, and goes on.
  case stop
  case wallClock
  /// Connections break; what was under way on them is lost.
  case brokenLinks
  case slowLinks
  case workerCrash
  /// A worker is stopped for a while, and goes on with what it had.
  case workerStop
  /// A worker says nothing more of a job.
  case wedgedJob
  case failures
  case backend
  case lateOutcomes
  case duplicates
  case deafConsumers
  /// Operators pause, drain, cancel and retry.
  case operators
  /// Few ended jobs are kept.
  case retention
}

/// What a seed stands for: which faults there are, how long, and how large the world is. Everything
/// else is drawn as the world goes, each part from a sequence of its own, so that leaving out a
/// fault changes the others as little as can be.
struct Scenario {
  let seed: UInt64
  var faults: Set<Fault>
  var faultyMs: Int64
  var producers: Int
  var workers: Int
  var consumers: Int
  /// The first process makes the ledger anew, with all its migrations.
  var beginsEmpty: Bool

  init(seed: UInt64, without excluded: Set<Fault> = []) {
    self.seed = seed
    var random = SplitMix64(seed: seed &* 0x2545_F491_4F6C_DD1D &+ 1)
    let share = Int.random(in: 0...100, using: &random)
    faults = []
    for fault in Fault.allCases where Int.random(in: 0..<100, using: &random) < share {
      faults.insert(fault)
    }
    faults.subtract(excluded)
    let isLong = Int.random(in: 0..<50, using: &random) == 0
    faultyMs = isLong ? 60_000 : Int64.random(in: 2_000...9_000, using: &random)
    producers = Int.random(in: 1...2, using: &random)
    workers = Int.random(in: 1...3, using: &random)
    consumers = Int.random(in: 1...2, using: &random)
    beginsEmpty = Int.random(in: 0..<40, using: &random) == 0
  }

  /// Limits and times that a short life meets.
  var queueConfiguration: QueueConfiguration {
    var configuration = QueueConfiguration(models: [
      CatalogueModel(
        name: "m1", contextTokens: 512, reservedTokens: 0, images: false, backend: "hub",
        fallbacks: ["m2"]),
      CatalogueModel(name: "m2", contextTokens: 512, reservedTokens: 0, images: true),
    ])
    configuration.backends = [
      CatalogueBackend(
        name: "hub", limits: BackendLimits(requestsPerMinuteMax: 600, concurrentRequestsMax: 3))
    ]
    configuration.liveJobsMax = 40
    configuration.tenantLiveJobsMax = 24
    configuration.liveBytesMax = 6_000
    configuration.channelUnacknowledgedMax = 12
    configuration.bodyChunkBytes = 128
    configuration.deadlineDefaultMs = 600_000
    configuration.workerHeartbeatMs = 500
    configuration.leaseMs = 2_000
    configuration.reattachGraceMs = 1_000
    configuration.releaseRestMs = 100
    configuration.retryBaseMs = 100
    configuration.retryCapMs = 2_000
    configuration.breaker.failuresInARowMax = 4
    configuration.breaker.restMs = 500
    configuration.breaker.restCapMs = 4_000
    configuration.credentialsRestMs = 3_000
    configuration.backendRestMaxMs = 10_000
    configuration.permitHeldMaxMs = 10_000
    configuration.deliveryBytesMax = 100
    configuration.deliveryLeaseMs = 1_500
    configuration.deliveryAttemptsMax = 4
    configuration.deliveryAgeMaxMs = 60_000
    configuration.timersPerTickMax = 4
    configuration.shell.batch.writesMax = 24
    configuration.shell.batch.readsMax = 8
    configuration.shell.batch.sealedMax = 3
    configuration.shell.bodyCacheBytesMax = 1_000
    configuration.shell.resultCacheBytesMax = 60
    configuration.ledger.readTimeoutMs = 3_600_000
    configuration.ledger.batchBytesMax = 4_000
    configuration.ledger.retention.undeliveredAgeMinMs = 120_000
    configuration.ledger.retention.keyAgeMinMs = 4_000
    configuration.ledger.retention.sliceRows = 10
    if faults.contains(.retention) {
      configuration.ledger.retention.countTerminalMax = 6
      configuration.ledger.retention.ageTerminalMs = 5_000
      configuration.ledger.retention.bytesMax = 1_500
      configuration.ledger.tenantStoredJobsMax = 30
    }
    return configuration
  }
}
