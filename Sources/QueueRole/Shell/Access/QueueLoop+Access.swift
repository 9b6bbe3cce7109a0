internal import AccessKeys
internal import Logging
internal import RerankdProtocol
internal import ZeroMQ

// Who may come in.
extension QueueLoop {
  /// Answers the connections that wait to come in, and looks whether the list of keys has changed.
  /// Also while nothing is read: a full queue still knows its friends.
  func lookAtKeys() throws(ZeroMQError) {
    try sockets.handshakes?.serve(peers.access)
    guard keyWatch != nil, keysDueMs <= nowMs else { return }
    keysDueMs = nowMs + Int64(configuration.authorizedKeysInterval.wholeMilliseconds)
    takeKeys(always: false)
    reportRefusals()
  }

  /// Somebody says that there may be something new.
  func rereadKeys() {
    if keyWatch != nil { takeKeys(always: true) }
  }

  private func takeKeys(always: Bool) {
    guard let keys = keyWatch?.change(always: always, logger) else { return }
    peers.allow(.listed(keys), into: &actions)
    performActions()
  }

  /// One line for however many: a flood of connections is not to become one of lines.
  private func reportRefusals() {
    guard let refused = sockets.handshakes?.refused, refused != reportedRefusals else { return }
    logger.warning(
      "connections with keys that are not on the list were refused",
      metadata: ["connections": "\(refused - reportedRefusals)"])
    reportedRefusals = refused
  }
}
