internal import Foundation
internal import ZeroMQ

/// The secret key of the queue's sockets, from a file that only its owner may read.
enum CurveKeyFile {
  /// - Throws: `QueueError` naming the file, never its contents.
  static func read(_ path: String) throws(QueueError) -> CurveKeyPair {
    let permissions: Int
    let text: String
    do {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      permissions = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw QueueError(.configuration, "cannot read the CURVE key file \(path)", underlying: error)
    }
    guard permissions & 0o077 == 0 else {
      throw QueueError(
        .configuration, "the CURVE key file \(path) can be read by others: chmod 600 \(path)")
    }
    do {
      let key = try CurveSecretKey(z85: text.trimmingCharacters(in: .whitespacesAndNewlines))
      return try CurveKeyPair(secretKey: key)
    } catch {
      throw QueueError(
        .configuration, "the CURVE key file \(path) holds no secret key", underlying: error)
    }
  }
}
