internal import RerankdProtocol

/// The connection's life: time passes, and the transport breaks.
extension CallMultiplexer {
  mutating func heard(_ now: Duration) {
    lastHeard = now
    failuresInARow = 0
    if case .opening = connection { connection = .up }
  }

  /// The transport says that the connection is gone.
  mutating func disconnected(_ cause: Disconnection, now: Duration) -> [Action] {
    let wasUp: Bool
    switch connection {
    case .lost: return []
    case .opening: wasUp = false
    case .up: wasUp = true
    }
    let actions = lose(now)
    switch cause {
    case .failed(let error): return actions + failAll(error)
    case .broken:
      let message = "the connection to the queue at \(configuration.endpoint) broke"
      if wasUp { return actions + failBegun(message) }
      // Else a peer that accepts and hangs up would keep the calls waiting without an end.
      return actions
        + failAll(
          CallError(.unavailable, message + " before it answered", reason: "CONNECTION_LOST"))
    }
  }

  mutating func tick(now: Duration) -> [Action] {
    var actions = failExpired(now)
    switch connection {
    case .opening(let since):
      guard now - since >= configuration.connectTimeout else { break }
      actions += lose(now)
      actions += failAll(noQueue)
    case .up:
      guard now - lastHeard >= silenceMax else {
        let quiet = min(lastHeard, lastSent)
        if now - max(quiet, lastPing) >= configuration.heartbeatInterval {
          lastPing = now
          control.append(.ping)
        }
        break
      }
      actions += lose(now)
      actions += failBegun("the queue at \(configuration.endpoint) has fallen silent")
    case .lost(let opensAt):
      guard now >= opensAt else { break }
      connection = .opening(since: now)
      lastHeard = now
      lastSent = now
      lastPing = now
      control.append(.ping)
      actions.append(.openSocket)
    }
    return actions
  }

  /// When `tick` has something to do next.
  var nextTick: Duration {
    let next =
      switch connection {
      case .opening(let since): since + configuration.connectTimeout
      case .up:
        min(
          lastHeard + silenceMax,
          max(min(lastHeard, lastSent), lastPing) + configuration.heartbeatInterval)
      case .lost(let opensAt): opensAt
      }
    return min(next, earliestDeadline)
  }

  var noQueue: CallError {
    CallError(
      .unavailable,
      "no queue answers at \(configuration.endpoint): is `rerankd up` or `rerankd queue` running?",
      reason: "NO_QUEUE")
  }

  private var silenceMax: Duration {
    configuration.heartbeatInterval * configuration.silentIntervalsMax
  }

  private mutating func lose(_ now: Duration) -> [Action] {
    let doublings = min(failuresInARow, 16)
    failuresInARow += 1
    let ceiling = min(
      configuration.reopenBackoff * (1 << doublings), configuration.reopenBackoffMax)
    connection = .lost(opensAt: now + ceiling * Double.random(in: 0...1, using: &random))
    control.removeAll()
    return [.closeSocket]
  }

  private mutating func failExpired(_ now: Duration) -> [Action] {
    guard now >= earliestDeadline else { return [] }
    let expired = calls.filter { $0.value.deadline.map { $0 <= now } ?? false }.keys.sorted()
    let isUp = if case .up = connection { true } else { false }
    let actions = expired.flatMap { callID in
      // Who waits for a queue that is away learns so, whichever time is over first.
      let isSent = isUp || calls[callID]?.hasBegun == true
      let isOver = CallError(.deadlineExceeded, "the call's time is over")
      return fail(callID, isSent ? isOver : noQueue)
    }
    earliestDeadline = calls.values.compactMap(\.deadline).min() ?? .seconds(Int64.max)
    return actions
  }
}
