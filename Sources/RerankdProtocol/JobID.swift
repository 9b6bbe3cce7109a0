/// A job's id: the shard that keeps the job in the upper 16 bits, and its sequence number there in
/// the lower 48. The sequence grows with time, so ids of one shard sort by age.
public struct JobID: RawRepresentable, Hashable, Comparable, Sendable {
  /// As it stands on the wire and in the ledger. 0 is no job: sequences begin at 1.
  public let rawValue: UInt64

  public static let sequenceMax: UInt64 = (1 << 48) - 1

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// `sequence` is at most `sequenceMax`; a larger one would change the shard and therefore traps.
  public init(shard: UInt16, sequence: UInt64) {
    precondition(sequence <= Self.sequenceMax, "job sequence \(sequence) needs more than 48 bits")
    rawValue = UInt64(shard) << 48 | sequence
  }

  public var shard: UInt16 { UInt16(rawValue >> 48) }
  public var sequence: UInt64 { rawValue & Self.sequenceMax }

  public static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }
}

/// The text form is for people, command lines and URLs: "shard-sequence", both decimal.
extension JobID: LosslessStringConvertible {
  public var description: String { "\(shard)-\(sequence)" }

  /// Takes the canonical form alone (no signs, spaces or leading zeros), so that one job has one
  /// name.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let shard = UInt16(parts[0]), let sequence = UInt64(parts[1]),
      sequence <= Self.sequenceMax
    else { return nil }
    self.init(shard: shard, sequence: sequence)
    guard description == text else { return nil }
  }
}
