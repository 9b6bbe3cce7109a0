internal import RerankdProtocol

/// Which shard a keyed job belongs to: rendezvous hashing over the shards' numbers, so that all
/// clients, in any language, choose the same one. PROTOCOL.md has the rule and
/// `protocol/vectors/shards.json` its values.
enum ShardHash {
  /// - Parameter tenant: empty means the default tenant, as in a job.
  /// - Returns: 0 up to `count` - 1.
  static func shard(tenant: String, key: String, of count: Int) -> Int {
    let hash = fnv1a((tenant.isEmpty ? "default" : tenant).utf8, key.utf8)
    var best = 0
    var bestScore: UInt64 = 0
    for shard in 0..<count {
      let score = mixed(hash ^ mixed(UInt64(shard) &+ 1))
      if score > bestScore { (best, bestScore) = (shard, score) }
    }
    return best
  }

  /// FNV-1a, 64 bits: the tenant, a zero byte, the key.
  private static func fnv1a(_ tenant: String.UTF8View, _ key: String.UTF8View) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for byte in tenant { take(byte) }
    take(0)
    for byte in key { take(byte) }
    return hash
  }

  /// SplitMix64's finalizer: FNV alone spreads the last bytes of similar keys badly.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var value = value &+ 0x9e37_79b9_7f4a_7c15
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
