import Glibc

/// One way of a connection: what was read waits for its time, and goes out as fast as it may.
struct ProxyStream {
  enum Step {
    case going
    /// The source has ended, and the sink knows.
    case ended
    /// As many bytes have passed as the cut allows.
    case cut
    case broken
  }

  private struct Chunk {
    var bytes: ArraySlice<UInt8>
    var due: ContinuousClock.Instant
  }

  let source: Int32
  let sink: Int32
  /// Since the conditions changed, and since the connection was made.
  var passed = 0
  private(set) var total = 0
  private(set) var hasSourceEnded = false
  private var hasSinkEnded = false
  private var isSinkFull = false
  private var waiting: [Chunk] = []
  private var waitingBytes = 0
  private var nextWrite: ContinuousClock.Instant?

  private static let readMax = 16 << 10
  private static let waitingMax = 256 << 10

  init(from source: Int32, to sink: Int32) {
    self.source = source
    self.sink = sink
  }

  /// - Parameter bytesMax: the connection is cut when so many have passed.
  mutating func move(
    _ conditions: NetworkConditions, _ bytesMax: Int?, _ random: inout SeededGenerator
  ) -> Step {
    guard read(conditions, &random) else { return .broken }
    isSinkFull = false
    while let first = waiting.first, first.due <= .now, nextWrite.map({ $0 <= .now }) ?? true {
      var count = first.bytes.count
      if let bytesMax { count = min(count, bytesMax - passed) }
      // A fiftieth of a second's worth at a time.
      if let rate = conditions.bytesPerSecond { count = min(count, max(rate / 50, 1)) }
      guard count > 0 else { return .cut }
      let sent = first.bytes.prefix(count).withUnsafeBytes {
        send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      }
      guard sent > 0 else {
        isSinkFull = errno == EAGAIN
        return isSinkFull ? .going : .broken
      }
      take(sent)
      nextWrite = conditions.bytesPerSecond.map { ContinuousClock.now + .seconds(1) * sent / $0 }
      if let bytesMax, passed >= bytesMax { return .cut }
    }
    guard hasSourceEnded, waiting.isEmpty else { return .going }
    if !hasSinkEnded { shutdown(sink, Int32(SHUT_WR)) }
    hasSinkEnded = true
    return .ended
  }

  private mutating func take(_ count: Int) {
    waiting[0].bytes.removeFirst(count)
    if waiting[0].bytes.isEmpty { waiting.removeFirst() }
    waitingBytes -= count
    passed += count
    total += count
  }

  /// - Returns: false where the source broke off.
  private mutating func read(
    _ conditions: NetworkConditions, _ random: inout SeededGenerator
  ) -> Bool {
    while !hasSourceEnded, waitingBytes < Self.waitingMax {
      var buffer = [UInt8](repeating: 0, count: Self.readMax)
      let count = recv(source, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      guard count >= 0 else { return errno == EAGAIN }
      guard count > 0 else {
        hasSourceEnded = true
        break
      }
      let jitter = conditions.jitter * Double.random(in: 0...1, using: &random)
      let due = ContinuousClock.now + conditions.latency + jitter
      waiting.append(
        Chunk(bytes: buffer[..<count], due: max(due, waiting.last?.due ?? due)))
      waitingBytes += count
    }
    return true
  }

  /// Reads what there is and forgets it.
  mutating func discard() {
    var buffer = [UInt8](repeating: 0, count: Self.readMax)
    while !hasSourceEnded {
      let count = recv(source, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0, errno == EAGAIN { return }
      hasSourceEnded = count <= 0
    }
  }

  var sourceInterest: pollfd? {
    guard !hasSourceEnded, waitingBytes < Self.waitingMax else { return nil }
    return pollfd(fd: source, events: Int16(POLLIN), revents: 0)
  }

  var sinkInterest: pollfd? {
    isSinkFull ? pollfd(fd: sink, events: Int16(POLLOUT), revents: 0) : nil
  }

  var due: ContinuousClock.Instant? {
    guard let first = waiting.first, !isSinkFull else { return nil }
    return max(first.due, nextWrite ?? first.due)
  }
}
