import EmbeddedEngine
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import rerankctl

/// What `rerankctl doctor` says of facts that a test cannot make true on its machine.
struct CheckTests {
  @Test func anOldOrUnencryptedLibraryIsTold() {
    #expect(Check.zeroMQ(version: "4.3.5", hasCurve: true).state == .ok)
    #expect(Check.zeroMQ(version: "4.10.0", hasCurve: true).state == .ok)
    #expect(Check.zeroMQ(version: "4.3.5", hasCurve: false).state == .warning)
    #expect(Check.zeroMQ(version: "4.1.9", hasCurve: true).state == .failed)
    #expect(Check.sqlite(version: "3.37.0").state == .ok)
    #expect(Check.sqlite(version: "3.40.1").state == .ok)
    #expect(Check.sqlite(version: "3.36.0").state == .failed)
  }

  @Test func aProcessorWithoutWideInstructionsIsWarnedOf() {
    #expect(Check.processor(.portable).state == .warning)
    #expect(KernelPath.allCases.count { Check.processor($0).state == .ok } == 4)
  }

  @Test func theSoftLimitOnFilesIsTheQueuesToRaise() {
    #expect(Check.openFiles(soft: 1_024, hard: 10_000, needed: 8_448).state == .ok)
    let low = Check.openFiles(soft: 1_024, hard: 4_096, needed: 8_448)
    #expect(low.state == .failed)
    #expect(low.mend?.contains("LimitNOFILE=8448") == true)
  }

  @Test func memoryMustHoldTheCachesAndMore() {
    let gibibyte: UInt64 = 1 << 30
    #expect(Check.memory(limit: 4 * gibibyte, caches: 3 * gibibyte).state == .ok)
    #expect(Check.memory(limit: 4 * gibibyte, caches: 3 * gibibyte + 4).state == .warning)
    #expect(Check.memory(limit: 4 * gibibyte, caches: 5 * gibibyte).state == .failed)
    #expect(Check.memory(limit: nil, caches: 1).state == .warning)
  }

  private let mounts = """
    22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
    30 22 0:40 / /var/lib rw - xfs /dev/sdb rw
    31 22 0:41 / /var/library rw shared:7 master:2 - nfs4 host:/x rw
    32 30 0:42 / /var/lib/my\\040jobs rw - tmpfs tmpfs rw
    33 30 0:43 / /var/lib/my\\040jobs rw - fuse.sshfs host: rw
    """

  @Test func theFileSystemIsThatOfTheNearestMountPoint() {
    let cases = [
      ("/etc/x", "ext4"), ("/var/lib", "xfs"), ("/var/lib/rerankd", "xfs"),
      ("/var/library/a", "nfs4"), ("/var/lib/my jobs/a", "fuse.sshfs"),
    ]
    for (folder, type) in cases {
      #expect(Volume.fileSystem(of: folder, mounts: mounts) == type, "\(folder)")
    }
    #expect(Volume.fileSystem(of: "/", mounts: "") == nil)
  }

  @Test func aLedgerOfAnotherMachineFails() {
    func state(_ type: String) -> CheckState? {
      let volume = Volume(folder: "/l", kind: Volume.kind(of: type), freeBytes: 1 << 40)
      return Check.ledger(volume, freeBytesReserve: 1).first { $0.name == "file system" }?.state
    }
    #expect(["nfs", "nfs4", "cifs", "ceph"].allSatisfy { state($0) == .failed })
    #expect(["fuse.sshfs", "9p", "tmpfs", "overlay"].allSatisfy { state($0) == .warning })
    #expect(["ext4", "xfs", "btrfs", "zfs"].allSatisfy { state($0) == .ok })
  }

  @Test func aDiskIsWarnedOfBeforeTheQueueStops() {
    func state(_ free: UInt64) -> CheckState? {
      Check.ledger(Volume(folder: "/l", freeBytes: free), freeBytesReserve: 100)
        .first { $0.name == "disk" }?.state
    }
    #expect(state(100) == .failed)
    #expect(state(400) == .warning)
    #expect(state(404) == .ok)
  }

  @Test func aFolderThatMayNotBeWrittenFails() {
    let volume = Volume(folder: "/l", isWritable: false, freeBytes: 1 << 40)
    let check = Check.ledger(volume, freeBytesReserve: 1).first
    #expect(check?.state == .failed)
    #expect(check?.mend?.contains("as the user that runs the queue") == true)
  }

  @Test func aPortIsTakenForRerankdsOwnOnlyIfAQueueAnswers() {
    let taken = ListenAddress(key: "gateway.listen", text: "127.0.0.1:7880", state: .taken)
    #expect(Check.listen(taken, queueAnswers: true).state == .ok)
    let check = Check.listen(taken, queueAnswers: false)
    #expect(check.state == .failed)
    #expect(check.mend?.contains("sport = :7880") == true)
  }

  private func queue(_ change: (inout StatusResponse) -> Void) -> [Check] {
    var status = StatusResponse.with {
      $0.version = "1"
      $0.workers = 1
      $0.ledger.acceptsSubmits = true
    }
    change(&status)
    let reading = QueueReading(endpoint: "tcp://q:1", status: StatusView(status))
    return Check.queue(reading, version: "1")
  }

  @Test func whatTheQueueSaysOfItselfBecomesChecks() {
    let cases: [(String, CheckState, (inout StatusResponse) -> Void)] = [
      ("version 2", .warning, { $0.version = "2" }),
      ("paused", .warning, { $0.paused = true }),
      ("draining", .warning, { $0.draining = true }),
      ("none is attached", .warning, { $0.workers = 0 }),
      ("takes no new jobs", .failed, { $0.ledger.acceptsSubmits = false }),
      ("disk full", .warning, { $0.ledger.backupError = "disk full" }),
      (
        "hub is credentials refused: it answered 401", .warning,
        {
          $0.backends = [
            .with {
              $0.name = "hub"
              $0.state = .credentialsRefused
              $0.reason = "it answered 401"
            }
          ]
        }
      ),
      (
        "none serves big, and 3 jobs", .warning,
        {
          $0.models = [
            .with {
              $0.model.name = "big"
              $0.ready = 3
            }
          ]
        }
      ),
      (
        "big rests: too hot", .warning,
        {
          $0.models = [
            .with {
              $0.model.name = "big"
              $0.pauseReason = "too hot"
            }
          ]
        }
      ),
    ]
    #expect(queue { _ in }.map(\.state) == [.ok])
    for (text, state, change) in cases {
      let checks = queue(change)
      #expect(checks.first?.state == .ok)
      #expect(checks.count == 2, "\(text)")
      #expect(checks.last?.what.contains(text) == true, "\(text)")
      #expect(checks.last?.state == state, "\(text)")
      #expect(checks.last?.mend != nil)
    }
  }
}
