import AccessKeys
import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import ZeroMQ

/// A queue that asks for keys, all of them made and listed by rerankctl.
struct KeyedSystem {
  let system: RunningSystem
  let queueKey: String

  var list: String { system.folder.path("authorized_keys") }

  /// Runs a test's body beside a queue that is known by its key; nobody is in its list yet but
  /// `operator`, as control, by whose key the system's own calls are made.
  static func run(_ body: (KeyedSystem) async throws -> Void) async throws {
    let system = try RunningSystem()
    let keyed = KeyedSystem(
      system: system, queueKey: try await system.generateKey("queue"))
    try await keyed.authorize("operator", "control")
    // Two keys more in the sections that the configuration has already.
    try system.folder.write(
      RunningSystem.briskTimes
        .replacing(
          "sockets: { peer_silence: 5s }",
          with: """
            sockets:
                peer_silence: 5s
                curve_secret_key_file: \(system.folder.path("queue.key"))
                authorized_keys_file: \(keyed.list)
                authorized_keys_interval: 50ms
            """
        )
        .replacing(
          "lanes: 1",
          with: """
            lanes: 1
              queue_public_key: "\(keyed.queueKey)"
              secret_key_file: \(system.folder.path("worker.key"))
            gateway:
              queue_public_key: "\(keyed.queueKey)"
              secret_key_file: \(system.folder.path("gateway.key"))
            """), to: "rerankd.yaml")
    system.speak(
      .init(queueKey: keyed.queueKey, file: system.folder.path("operator.key")))
    do {
      try await body(keyed)
    } catch {
      print(system.lastLogLines)
      throw error
    }
  }

  /// A new key NAME.key that is in the list from now on.
  func authorize(_ name: String, _ role: String, tenants: [String] = []) async throws {
    let key = try await system.generateKey(name)
    let options = tenants.flatMap { ["--tenant", $0] }
    let made = try await system.control(
      ["keys", "authorize", name, role, "--key", key, "--list", list] + options)
    guard made.exit == .status(0) else { throw TimeoutError(description: made.error) }
  }

  /// rerankctl, with somebody's key.
  func control(by name: String, _ arguments: [String]) async throws -> ControlOutput {
    try await system.control(
      arguments + ["--queue-key", queueKey, "--key-file", system.folder.path("\(name).key")])
  }
}

extension RunningSystem {
  /// Who it is that a test's own calls come from.
  struct Identity {
    var queueKey: String
    var file: String

    func security() throws -> SocketOptions.Security {
      try .client(queuePublicKey: queueKey, secretKeyFile: file)
    }

    /// What rerankctl takes it from.
    var environment: [String: String] {
      ["RERANKD_QUEUE_KEY": queueKey, "RERANKD_KEY_FILE": file]
    }
  }

  /// - Returns: the public key.
  func generateKey(_ name: String) async throws -> String {
    struct Made: Decodable { var publicKey: String }
    let made = try await control(["keys", "generate", folder.path("\(name).key"), "-o", "jsonl"])
    guard made.exit == .status(0) else { throw TimeoutError(description: made.error) }
    return try made.json(Made.self).publicKey
  }
}
