import Foundation
import RerankdProtocol

/// Where the queue's backups lie, and which of them stay.
struct BackupFolder {
  let path: String
  let shard: UInt16

  /// - Throws: ``LedgerError`` `.name` for what is no plain file name.
  func file(named name: String) throws(LedgerError) -> String {
    let isPlain = name.utf8.allSatisfy { byte in
      switch UInt8(byte) {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard isPlain, (1...LedgerBackupLimits.nameBytesMax).contains(name.utf8.count),
      !name.hasPrefix("."), !name.hasPrefix("-"), !name.hasSuffix(".part")
    else {
      throw LedgerError(
        .name,
        "\"\(name)\" is no name for a backup: 1 to \(LedgerBackupLimits.nameBytesMax) letters, "
          + "digits, dots, hyphens and underscores, without a folder, not beginning with a dot or "
          + "a hyphen and not ending in .part")
    }
    return path + "/" + name
  }

  /// `rerankd-SHARD-TIME.sqlite`, with UTC to the second: names sort by time.
  func file(atMs wallMs: Int64) -> String {
    "\(path)/\(prefix)\(Self.time(wallMs))\(suffix)"
  }

  /// Whether the queue gave this name itself.
  func isOwn(_ name: String) -> Bool {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return false }
    let time = Array(name.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count))
    return time.count == 16
      && time.enumerated().allSatisfy { index, byte in
        switch index {
        case 8: byte == UInt8(ascii: "T")
        case 15: byte == UInt8(ascii: "Z")
        default: (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
      }
  }

  /// Removes all but the newest of the files that the queue named itself, and what interrupted
  /// backups left. Nothing else is ever touched.
  func prune(keeping count: Int) throws(LedgerError) {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw LedgerError(.permissions, "the backup folder \(path) cannot be read", underlying: error)
    }
    let old = names.filter(isOwn).sorted().dropLast(count)
    let parts = names.filter { $0.hasSuffix(".part") && isOwn(String($0.dropLast(5))) }
    for name in old + parts {
      guard unlink(path + "/" + name) == 0 || errno == ENOENT else {
        throw BackupFile.failure("the old backup \(path)/\(name) cannot be removed")
      }
    }
  }

  /// Makes the folder if it is not there, and makes sure that so much fits into it.
  func prepare(bytes: UInt64) throws(LedgerError) {
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw BackupFile.failure("the backup folder \(path) cannot be made")
    }
    var volume = statvfs()
    guard statvfs(path, &volume) == 0 else {
      throw BackupFile.failure("the backup folder \(path) cannot be used")
    }
    let freeBytes = UInt64(volume.f_bavail) * UInt64(volume.f_frsize)
    guard freeBytes >= bytes else {
      throw LedgerError(
        .full,
        "\(path) has \(freeBytes) bytes left, and a backup takes, with the reserve, \(bytes): make "
          + "room, or keep fewer")
    }
  }

  private var prefix: String { "rerankd-\(shard)-" }
  private var suffix: String { ".sqlite" }

  /// As 20261125T042633Z.
  static func time(_ wallMs: Int64) -> String {
    var seconds = time_t(wallMs / 1_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func padded(_ value: Int32, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return padded(parts.tm_year + 1_900, 4) + padded(parts.tm_mon + 1, 2)
      + padded(parts.tm_mday, 2) + "T" + padded(parts.tm_hour, 2) + padded(parts.tm_min, 2)
      + padded(parts.tm_sec, 2) + "Z"
  }
}
