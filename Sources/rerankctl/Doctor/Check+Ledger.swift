/// Where the ledger lies.
extension Check {
  /// - Parameter reserve: below so many free bytes the queue takes no new jobs in.
  static func ledger(_ volume: Volume, freeBytesReserve reserve: UInt64) -> [Check] {
    guard volume.exists else {
      return [
        Check(
          "ledger", .failed, "the ledger's folder \(volume.folder) does not exist",
          mend: "make it for the user that runs the queue: "
            + "install -d -m 700 -o USER \(volume.folder); or set queue.ledger.path")
      ]
    }
    return [folder(volume), kind(volume), space(volume, reserve)]
  }

  private static func folder(_ volume: Volume) -> Check {
    guard volume.isWritable else {
      return Check(
        "ledger", .failed, "this user may not write into the ledger's folder \(volume.folder)",
        mend: "run this as the user that runs the queue, or chown it to that user")
    }
    return Check("ledger", .ok, "its folder \(volume.folder) can be written")
  }

  private static func kind(_ volume: Volume) -> Check {
    let folder = volume.folder
    let mend = "set queue.ledger.path to a local disk"
    switch volume.kind {
    case .local:
      return Check("file system", .ok, "\(folder) is on a local file system")
    case .network(let name):
      return Check(
        "file system", .failed,
        "\(folder) is on \(name): the ledger's locks and shared memory do not work there",
        mend: mend)
    case .foreign(let name):
      return Check(
        "file system", .warning,
        "\(folder) is on \(name), of which nobody knows whether its locks and syncs hold",
        mend: mend)
    case .memory:
      return Check(
        "file system", .warning, "\(folder) is in memory: all jobs are gone when the machine stops",
        mend: mend)
    case .container:
      return Check(
        "file system", .warning, "\(folder) is a container's own: all jobs are gone with it",
        mend: "mount a volume there")
    }
  }

  private static func space(_ volume: Volume, _ reserve: UInt64) -> Check {
    let free = Quantity.bytes(volume.freeBytes)
    let mend = "free some, or shorten queue.ledger.retention"
    guard volume.freeBytes > reserve else {
      return Check(
        "disk", .failed,
        "\(free) free: the queue takes no new jobs in below \(Quantity.bytes(reserve))", mend: mend)
    }
    // A queue that is about to stop should be seen to come.
    guard volume.freeBytes / 4 > reserve else {
      return Check(
        "disk", .warning,
        "\(free) free; at \(Quantity.bytes(reserve)) the queue takes no new jobs in",
        mend: mend)
    }
    return Check("disk", .ok, "\(free) free")
  }
}
