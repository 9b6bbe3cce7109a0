import Glibc

/// A client's connection and the one to the server that belongs to it.
final class ProxyConnection {
  private let client: Int32
  private let server: Int32
  private var requests: ProxyStream
  private var answers: ProxyStream
  private(set) var isOver = false
  /// Nothing is passed on any more, for good: a stream in which bytes are missing must not go on.
  private(set) var isDead = false

  init(client: Int32, server: Int32) {
    self.client = client
    self.server = server
    requests = ProxyStream(from: client, to: server)
    answers = ProxyStream(from: server, to: client)
  }

  func conditionsChanged() {
    requests.passed = 0
    answers.passed = 0
  }

  func move(
    _ conditions: NetworkConditions, _ state: FaultProxy.SharedState,
    _ random: inout SeededGenerator
  ) {
    if isDead {
      answers.discard()
      requests.discard()
      if requests.hasSourceEnded { end() }
      return
    }
    let before = (requests.total, answers.total)
    let cut = conditions.cut
    let steps = [
      requests.move(conditions, cut?.direction == .request ? cut?.afterBytes : nil, &random),
      answers.move(conditions, cut?.direction == .answer ? cut?.afterBytes : nil, &random),
    ]
    let moved = (requests.total - before.0, answers.total - before.1)
    state.count {
      $0.requestBytes += moved.0
      $0.answerBytes += moved.1
    }
    if steps.contains(.broken) {
      reset()
    } else if steps.contains(.cut) {
      make(cut?.end ?? .reset, state)
    } else if steps == [.ended, .ended] {
      end()
    }
  }

  private func make(_ end: NetworkConditions.Cut.End, _ state: FaultProxy.SharedState) {
    switch end {
    case .reset:
      state.count { $0.resets += 1 }
      reset()
    case .close:
      state.count { $0.closes += 1 }
      shutdown(client, Int32(SHUT_WR))
      shutdown(server, Int32(SHUT_RDWR))
      // Closed now, the client would get a reset for what it has sent and nobody read.
      swallow()
    }
  }

  /// What comes from now on is lost, and what waits.
  func swallow() {
    isDead = true
    requests = ProxyStream(from: client, to: server)
    answers = ProxyStream(from: server, to: client)
  }

  private func end() {
    isOver = true
    close(client)
    close(server)
  }

  func reset() {
    guard !isOver else { return }
    isOver = true
    resetAndClose(client)
    resetAndClose(server)
  }

  /// What `poll` is to wait for, beside ``due``.
  var interests: [pollfd] {
    [
      requests.sourceInterest, answers.sourceInterest, requests.sinkInterest, answers.sinkInterest,
    ].compactMap(\.self)
  }

  /// When something may move again that waits for its time.
  var due: ContinuousClock.Instant? { [requests.due, answers.due].compactMap(\.self).min() }
}
