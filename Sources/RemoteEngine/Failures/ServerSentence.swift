import Foundation

/// What a server says of a failure, in whichever of the APIs' shapes:
///
///     {"error": {"message", "type"}}   {"error": "…", "error_type": "…"}   {"message": "…"}
///     {"detail": "…"}   {"detail": [{"msg": "…"}]}   "…"
struct ServerSentence: Sendable, Equatable {
  static let charactersMax = 300

  /// One line of at most ``charactersMax``.
  var text: String
  var type: String?

  /// nil where nothing is said in a shape that is known.
  ///
  /// - Parameter token: taken out wherever the server repeats it.
  init?(in body: [UInt8], without token: BearerToken? = nil) {
    let json = try? JSONSerialization.jsonObject(with: Data(body), options: .fragmentsAllowed)
    let object = json as? [String: Any]
    let error = object?["error"] as? [String: Any]
    let details = object?["detail"] as? [[String: Any]]
    let said =
      json as? String ?? error?["message"] as? String ?? object?["error"] as? String
      ?? object?["message"] as? String ?? object?["detail"] as? String
      ?? details?.compactMap { $0["msg"] as? String }.joined(separator: "; ")
    guard let said, !said.isEmpty else { return nil }
    // Before anything is cut: half a token is one too much.
    let line = (token?.redacted(in: said) ?? said).split(whereSeparator: \.isNewline)
      .joined(separator: " ")
    text = line.count > Self.charactersMax ? line.prefix(Self.charactersMax) + "…" : line
    type = error?["type"] as? String ?? object?["error_type"] as? String
  }
}
