import CFaultVFS

/// A disk that forgets what was not synced; see `fault_vfs.h`. One world's, and so one thread's.
///
/// Unchecked: a disk is changed by the world alone that made it; others may only copy it, once it
/// does not change any more.
final class SimulatedDisk: @unchecked Sendable {
  enum Fault: UInt32 {
    case read, write, sync
    /// The process dies in the middle of what it writes.
    case death
  }

  private let disk: OpaquePointer

  init() {
    fault_vfs_register()
    disk = fault_disk_create()
  }

  init(copyOf other: SimulatedDisk) {
    disk = fault_disk_copy(other.disk)
  }

  deinit {
    fault_disk_destroy(disk)
  }

  var ledgerPath: String { String(cString: fault_disk_folder(disk)) + "ledger.sqlite" }
  var usedBytes: Int64 { fault_disk_used(disk) }
  var hasStruck: Bool { fault_disk_has_struck(disk) != 0 }

  /// How much fits on it; `Int64.max`: everything.
  var capacityBytes: Int64 = .max {
    didSet { fault_disk_set_capacity(disk, capacityBytes) }
  }

  /// - Parameter after: 1 is the next operation of this kind.
  func arm(_ fault: Fault, after: Int) {
    fault_disk_arm(disk, fault_operation(fault.rawValue), Int64(after))
  }

  func disarm() {
    for fault in [Fault.read, .write, .sync, .death] { arm(fault, after: 0) }
  }

  /// An armed fault of reads is over, whether it struck or not.
  func forgetReadFault() {
    arm(.read, after: 0)
    forgetStrike()
  }

  func forgetStrike() { fault_disk_forget_strike(disk) }

  func lie() { fault_disk_set_lying(disk, 1) }
  func kill() { fault_disk_kill(disk) }

  func restart(afterPowerCut: Bool, seed: UInt64) {
    fault_disk_restart(disk, afterPowerCut ? 1 : 0, seed)
  }
}
