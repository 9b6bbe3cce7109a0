/// The connections whose sessions the queue gave up while they had calls, until their clients have
/// been told: such a client may be there still, and wait for ever on a stream that nobody knows.
///
/// Bounded: a new entry takes the place of the oldest, whose client has not been heard for longest
/// and most likely is gone.
struct ForgottenPeers {
  private var slots: [RoutingKey?]
  private var next = 0
  private var slotsByKey: [RoutingKey: Int] = [:]

  init(max: Int) {
    slots = Array(repeating: nil, count: max)
  }

  func contains(_ key: RoutingKey) -> Bool { slotsByKey[key] != nil }

  mutating func insert(_ key: RoutingKey) {
    remove(key)
    if let oldest = slots[next] { slotsByKey[oldest] = nil }
    slots[next] = key
    slotsByKey[key] = next
    next = (next + 1) % slots.count
  }

  mutating func remove(_ key: RoutingKey) {
    guard let slot = slotsByKey.removeValue(forKey: key) else { return }
    slots[slot] = nil
  }
}
