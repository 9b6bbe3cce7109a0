import Foundation
import TestSupport

/// A `rerankd gateway` in front of a running system's queue.
struct RunningGateway {
  /// Of the client that may use every model.
  static let token = "rk-test"
  /// Of the one that may see and do everything on the page as well.
  static let operatorToken = "rk-operator"

  let process: ChildProcess
  let port: Int
  var scheme = "http"

  var baseURL: String { "\(scheme)://127.0.0.1:\(port)" }

  /// What curl got.
  struct Reply {
    var status: Int
    var body: String

    func json() throws -> [String: Any] {
      try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any] ?? [:]
    }
  }

  /// What a request with curl is, as its arguments.
  func arguments(
    _ path: String, json: String? = nil, method: String? = nil, headers: [String] = [],
    options: [String] = []
  ) -> [String] {
    Self.arguments(
      url: baseURL + path, json: json, method: method, headers: headers, options: options)
  }

  static func arguments(
    url: String, json: String? = nil, method: String? = nil, headers: [String] = [],
    options: [String] = []
  ) -> [String] {
    var arguments = ["--silent", "--show-error", "--max-time", "90"] + options
    arguments += ["--write-out", "\n%{http_code}", "-H", "Authorization: Bearer \(token)"]
    for header in headers { arguments += ["-H", header] }
    if let json { arguments += ["-H", "Content-Type: application/json", "-d", json] }
    if let method { arguments += ["-X", method] }
    return arguments + [url]
  }

  func curl(
    _ path: String, json: String? = nil, method: String? = nil, headers: [String] = [],
    options: [String] = []
  ) async throws -> Reply {
    try await Self.reply(
      ChildProcess(
        Self.curl,
        arguments: arguments(
          path, json: json, method: method, headers: headers, options: options)))
  }

  static let curl = "/usr/bin/curl"

  /// - Throws: ``TimeoutError`` when curl got no answer.
  static func reply(_ curl: ChildProcess) async throws -> Reply {
    let exit = try await curl.waitForExit(timeout: .seconds(120))
    let lines = curl.text(of: .output).split(separator: "\n", omittingEmptySubsequences: false)
    guard exit == .status(0), let last = lines.last, let status = Int(last) else {
      throw TimeoutError(description: "curl ended with \(exit): \(curl.text(of: .error))")
    }
    return Reply(status: status, body: lines.dropLast().joined(separator: "\n"))
  }
}

extension RunningSystem {
  /// Starts a gateway that lets ``RunningGateway/token`` and the operator's in, and returns when it
  /// listens.
  ///
  /// - Parameter port: 0 takes a free one.
  @discardableResult
  func startGateway(
    _ name: String = "gateway", tenant: String = "default", queues: [String]? = nil,
    port: UInt16 = 0
  ) async throws -> RunningGateway {
    let hash = try ChildProcess(
      "/bin/sh",
      arguments: [
        "-c",
        """
        echo \(RunningGateway.token) | "$0" gateway hash-token --stdin --name t --tenant \(tenant) &&
        echo \(RunningGateway.operatorToken) | "$0" gateway hash-token --stdin --name o --operator
        """,
        try ChildProcess.builtProduct("rerankd").path,
      ])
    guard try await hash.waitForExit() == .status(0) else {
      throw TimeoutError(description: "hash-token failed: \(hash.text(of: .error))")
    }
    try folder.writeSecret(hash.text(of: .output), to: "tokens")
    let process = try start(
      name,
      [
        "gateway", "--config", folder.path("rerankd.yaml"), "--listen",
        "127.0.0.1:\(port)", "--token-file", folder.path("tokens"),
      ] + (queues ?? [producersEndpoint]).flatMap { ["--queue", $0] })
    let line = try await process.line(containing: "listening on", on: .error)
    guard let port = line.split(separator: ":").last.flatMap({ Int($0) }) else {
      throw TimeoutError(description: "no port in \"\(line)\"")
    }
    return RunningGateway(process: process, port: port)
  }
}
