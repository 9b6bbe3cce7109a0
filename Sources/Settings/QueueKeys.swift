import AccessKeys
package import ZeroMQ

/// How a worker or gateway speaks to its queues: the keys `queue_public_key` and `secret_key_file`
/// of its section.
package struct QueueKeys: Sendable, Equatable {
  /// Of the queues; nil: without CURVE.
  package var queuePublicKey: CurvePublicKey?
  /// The process's own; nil: a fresh key, for queues without a list of authorized keys.
  package var secretKeyFile: String?
  /// For messages: "worker" or "gateway".
  private let section: String

  init(_ section: ConfigurationSection, name: String) {
    self.section = name
    var text: String?
    section.text("queue_public_key", into: &text)
    section.text("secret_key_file", into: &secretKeyFile)
    section.noting {
      guard let text else {
        guard secretKeyFile == nil else {
          throw section.error(
            "secret_key_file", "is of use with the queue's public key alone: name queue_public_key")
        }
        return
      }
      do {
        queuePublicKey = try CurvePublicKey(z85: text)
      } catch {
        throw section.error("queue_public_key", "\(error)")
      }
    }
  }

  /// Reads the secret key's file, which only the process that needs it may be able to.
  /// - Throws: ``ConfigurationError``.
  package func security() throws -> SocketOptions.Security {
    do throws(AccessKeysError) {
      return try .client(queuePublicKey: queuePublicKey?.z85, secretKeyFile: secretKeyFile)
    } catch {
      throw ConfigurationError(key: "\(section).secret_key_file", message: error.message)
    }
  }
}
