import EmbeddedEngine

/// The machine and the libraries on it.
extension Check {
  /// - Parameter version: "4.3.5".
  static func zeroMQ(version: String, hasCurve: Bool) -> Check {
    let what = "libzmq \(version), \(hasCurve ? "with" : "without") CURVE"
    guard isAtLeast(version, zeroMQVersionMin) else {
      return Check(
        "zeromq", .failed, "\(what); \(zeroMQVersionMin) or newer is needed",
        mend: "install a newer libzmq, such as Debian's libzmq5")
    }
    guard hasCurve else {
      return Check(
        "zeromq", .warning, "\(what): queues on other machines cannot be reached with encryption",
        mend: "install a libzmq that was built with libsodium")
    }
    return Check("zeromq", .ok, what)
  }

  static func sqlite(version: String) -> Check {
    guard isAtLeast(version, sqliteVersionMin) else {
      return Check(
        "sqlite", .failed, "SQLite \(version); \(sqliteVersionMin) or newer is needed",
        mend: "install a newer libsqlite3: the ledger's tables are STRICT")
    }
    return Check("sqlite", .ok, "SQLite \(version)")
  }

  static func processor(_ path: KernelPath) -> Check {
    switch path {
    case .portable:
      Check(
        "processor", .warning,
        "no instructions of its own for the embedded engine, which is many times slower without",
        mend: "run workers of embedded models on a machine with AVX2, better AVX-512 with bf16")
    case .avx2, .avx512, .avx512VNNI:
      Check("processor", .ok, "the embedded engine uses \(path.rawValue): fp32 and int8 are fast")
    case .avx512BF16:
      Check("processor", .ok, "the embedded engine uses \(path.rawValue): every precision is fast")
    }
  }

  /// - Parameters:
  ///   - soft: of this shell, which processes started from it get.
  ///   - hard: up to which a process raises its own.
  ///   - needed: by a queue with as many peers as it allows.
  static func openFiles(soft: UInt64, hard: UInt64, needed: UInt64) -> Check {
    guard hard >= needed else {
      return Check(
        "files", .failed,
        "\(Quantity.count(hard)) files may be open, and the queue needs \(Quantity.count(needed))",
        mend: "LimitNOFILE=\(needed) in the service's unit, or ulimit -n \(needed); "
          + "or a smaller queue.sockets.peers_max")
    }
    let raised = soft < needed ? ", to which the queue raises its limit of \(soft)" : ""
    return Check(
      "files", .ok, "\(Quantity.count(needed)) files may be open in the queue\(raised)")
  }

  /// - Parameters:
  ///   - limit: what the machine has, or the control group allows; nil where it cannot be told.
  ///   - caches: what queue and gateway may hold by their configuration.
  static func memory(limit: UInt64?, caches: UInt64) -> Check {
    guard let limit else {
      return Check("memory", .warning, "how much memory there is cannot be read from /proc")
    }
    let what =
      "\(Quantity.bytes(limit)) of memory; requests and caches may take \(Quantity.bytes(caches))"
    let mend =
      "give it more, or lower queue.sockets.body_cache and result_cache, and "
      + "gateway.limits.bodies_max"
    guard caches <= limit else { return Check("memory", .failed, what, mend: mend) }
    // Models, SQLite and what is on its way want room as well.
    guard caches <= limit / 4 * 3 else { return Check("memory", .warning, what, mend: mend) }
    return Check("memory", .ok, what)
  }

  /// CURVE, draft-free ROUTER options and heartbeats are all there from here on.
  private static let zeroMQVersionMin = "4.2.0"
  /// STRICT tables.
  private static let sqliteVersionMin = "3.37.0"

  private static func isAtLeast(_ version: String, _ wanted: String) -> Bool {
    let (have, want) = (numbers(version), numbers(wanted))
    return !have.lexicographicallyPrecedes(want)
  }

  private static func numbers(_ version: String) -> [Int] {
    version.split(separator: ".").map { Int($0) ?? 0 }
  }
}
