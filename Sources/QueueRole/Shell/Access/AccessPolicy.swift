internal import AccessKeys
internal import RerankdProtocol

/// Whose messages are heard. The User-Id that libzmq gives each message is the sender's public key,
/// so that a key which is replaced under the same name is another caller.
enum AccessPolicy: Sendable, Equatable {
  /// Without CURVE, or with it and no list of keys.
  case open
  case listed(AuthorizedKeys)

  /// - Parameter userID: of the message; nil: it has none.
  /// - Returns: nil for a key that is not (or no longer) on the list.
  func caller(_ userID: String?) -> Caller? {
    switch self {
    case .open: .anyone
    case .listed(let keys): userID.flatMap { keys[$0] }.map { Caller(key: $0) }
    }
  }
}

extension CallError {
  static let keyNotAuthorized = CallError(
    .permissionDenied, "this key is not on the queue's list of authorized keys",
    reason: "KEY_NOT_AUTHORIZED")

  /// Clients come back by themselves.
  static let keyChanged = CallError(
    .unavailable, "what this key may do was changed; open the call anew", reason: "KEY_CHANGED",
    retryAfter: .milliseconds(100))

  static func methodDenied(_ method: RerankdProtocol.Method, to caller: Caller) -> CallError {
    let key = caller.key.map { "the key \"\($0.name)\" has the role \($0.role.rawValue)" } ?? ""
    return CallError(
      .permissionDenied, "\(key), which does not allow \(method.rawValue)", reason: "ROLE_DENIED",
      resource: method.rawValue)
  }
}
