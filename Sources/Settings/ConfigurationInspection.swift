import AccessKeys
import Foundation
import GuardedFiles
import QueueRole
import RemoteEngine

/// What reading a configuration alone cannot tell: the files that it names, and what is of no use.
package struct ConfigurationFinding: Sendable, Equatable {
  package enum Level: String, Sendable, Codable {
    /// A process that reads this does not start, or cannot do what it is for.
    case error
    /// It works, but hardly as it is meant.
    case warning
  }

  package var level: Level
  /// "FILE:LINE", or a variable's name; nil for a default.
  package var place: String?
  package var key: String
  package var message: String
}

extension DaemonConfiguration {
  /// Everything that is wrong with a configuration, and, when it can be read, with what it names on
  /// this machine.
  package static func findings(_ layers: ConfigurationLayers) -> [ConfigurationFinding] {
    do {
      return try load(layers).inspect(environment: layers.environment)
    } catch let error as ConfigurationError {
      return error.all.map {
        ConfigurationFinding(level: .error, place: $0.place, key: $0.key, message: $0.message)
      }
    } catch {
      return [
        ConfigurationFinding(
          level: .error, place: layers.path, key: "the file", message: "\(error)")
      ]
    }
  }

  /// Looks at this machine: paths in the file are those of the machine that a process runs on.
  ///
  /// - Parameter environment: has the tokens that backends name by variable.
  package func inspect(environment: [String: String]) -> [ConfigurationFinding] {
    var findings: [ConfigurationFinding] = []
    for setting in settings {
      guard let value = setting.value,
        let problem = Self.problem(
          ofKey: Self.withoutNumbers(setting.key), value, environment)
      else { continue }
      findings.append(
        ConfigurationFinding(
          level: problem.level, place: setting.place, key: setting.key, message: problem.message))
    }
    let used = Set(models.compactMap(\.backend))
    for setting in settings
    where setting.key.wholeMatch(of: /backends\[\d+\]\.name/) != nil {
      guard let name = setting.value, !used.contains(name) else { continue }
      findings.append(
        ConfigurationFinding(
          level: .warning, place: setting.place, key: setting.key,
          message: "no model names the backend \"\(name)\", so nobody can ask it for anything"))
    }
    findings += models.compactMap(\.notice).map {
      ConfigurationFinding(level: .warning, place: nil, key: "models", message: $0)
    }
    return findings
  }

  /// Whether a setting names a file that its owner alone may read.
  package static func isSecretFile(_ key: String) -> Bool {
    secretFileKeys.contains(withoutNumbers(key))
  }

  /// Entries of lists are alike.
  private static func withoutNumbers(_ key: String) -> String {
    key.replacing(/\[\d+\]/, with: "")
  }

  private static let secretFileKeys: Set = [
    "backends.token_file", "backends.tls.key_file", "gateway.token_file", "gateway.tls.key_file",
    "gateway.secret_key_file", "queue.sockets.curve_secret_key_file", "worker.secret_key_file",
  ]

  private typealias Problem = (level: ConfigurationFinding.Level, message: String)

  private static func problem(
    ofKey key: String, _ value: String, _ environment: [String: String]
  ) -> Problem? {
    if secretFileKeys.contains(key) { return secretFileProblem(value) }
    return switch key {
    case "queue.sockets.authorized_keys_file":
      keyListProblem(value)
    case "backends.tls.ca_file", "backends.tls.certificate_file", "gateway.tls.certificate_file":
      fileProblem(value)
    case "backends.token_env", "backends.proxy.credentials_env":
      environment[value].map { $0.isEmpty } ?? true
        ? (.warning, "the variable \(value) is not set here; the workers need it") : nil
    case "models.folder", "models.tokenizer_folder":
      FileManager.default.fileExists(atPath: value)
        ? nil : (.warning, "there is no folder \(value) here; the workers need it")
    case "queue.ledger.path":
      ledgerProblem(value)
    default: nil
    }
  }

  private static func fileProblem(_ path: String) -> Problem? {
    if !FileManager.default.fileExists(atPath: path) { return (.error, "there is no file \(path)") }
    return FileManager.default.isReadableFile(atPath: path)
      ? nil : (.error, "\(path) cannot be read by this user")
  }

  private static func secretFileProblem(_ path: String) -> Problem? {
    do throws(GuardedFileError) {
      _ = try GuardedFile(path, .secret, bytesMax: secretBytesMax).version()
      return fileProblem(path)
    } catch {
      return (.error, error.message)
    }
  }

  /// Of what is merely looked at here, and so without a limit of its own.
  private static let secretBytesMax = 64 << 20

  private static func keyListProblem(_ path: String) -> Problem? {
    do throws(AccessKeysError) {
      _ = try AuthorizedKeysFile(path).read()
      return nil
    } catch {
      return (.error, error.message)
    }
  }

  private static func ledgerProblem(_ path: String) -> Problem? {
    let folder = URL(filePath: path).deletingLastPathComponent().path
    return FileManager.default.isWritableFile(atPath: folder)
      ? nil : (.error, "the queue must be able to write into its folder, \(folder)")
  }
}

extension Setting {
  /// nil for a default.
  package var place: String? { origin == .builtInDefault ? nil : "\(origin)" }

  /// The value as it may be shown: credentials that somebody put into an address are not.
  package var shownValue: String? {
    value?.replacing(/:\/\/[^\/@\s]*@/, with: "://…@")
  }
}
