import Foundation
import Glibc
import TestSupport

/// Hosts of one network, made of namespaces of this machine's kernel: a switch with a cable to each,
/// which can be pulled.
///
/// What runs on a host has loopback and that network, and sees nothing of this machine's own.
final class NetworkHosts: Sendable {
  private static let ip = "/usr/sbin/ip"
  /// Other tests' hosts, on the same machine, have other names. An interface's may have 15 bytes.
  private let prefix = "rr\(ProcessInfo.processInfo.processIdentifier % 1_000_000)"
  private let names: [String]

  /// Whether this user, on this kernel, may make hosts.
  static let areToBeHad: Bool = {
    guard FileManager.default.isExecutableFile(atPath: ip) else { return false }
    let probe = "rrprobe\(ProcessInfo.processInfo.processIdentifier)"
    guard (try? run(["netns", "add", probe])) != nil else { return false }
    defer { try? run(["netns", "del", probe]) }
    return (try? run(["-n", probe, "link", "add", "probe", "type", "bridge"])) != nil
  }()

  /// - Parameter names: of up to 4 characters.
  init(_ names: [String]) throws {
    self.names = names
    let hub = namespace("hub")
    try Self.run(["netns", "add", hub])
    try Self.run(["-n", hub, "link", "add", "switch", "type", "bridge"])
    try Self.run(["-n", hub, "link", "set", "switch", "up"])
    for (index, name) in names.enumerated() {
      let host = namespace(name)
      try Self.run(["netns", "add", host])
      try Self.run([
        "-n", hub, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", host,
      ])
      try Self.run(["-n", hub, "link", "set", name, "master", "switch", "up"])
      try Self.run(["-n", host, "addr", "add", "\(Self.address(index))/24", "dev", "eth0"])
      for interface in ["eth0", "lo"] {
        try Self.run(["-n", host, "link", "set", interface, "up"])
      }
    }
  }

  deinit {
    for name in names + ["hub"] { try? Self.run(["netns", "del", namespace(name)]) }
  }

  func address(of name: String) -> String {
    Self.address(names.firstIndex(of: name) ?? names.count)
  }

  /// Whether a host's cable is in: without it packets are lost, and nobody is told.
  func connect(_ name: String, _ isConnected: Bool) throws {
    try Self.run(["-n", namespace("hub"), "link", "set", name, isConnected ? "up" : "down"])
  }

  /// What has a program run on a host: the process keeps its id when it becomes the program.
  func command(on name: String, _ program: String) throws -> (path: String, arguments: [String]) {
    (
      Self.ip,
      ["netns", "exec", namespace(name), try ChildProcess.builtProduct(program).path]
    )
  }

  private func namespace(_ name: String) -> String { "\(prefix)-\(name)" }

  /// Of 192.0.2.0/24, which is for examples alone.
  private static func address(_ index: Int) -> String { "192.0.2.\(index + 1)" }

  private static func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: ip)
    process.arguments = arguments
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let said = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let command = arguments.joined(separator: " ")
      throw TimeoutError(description: "ip \(command): \(String(decoding: said, as: UTF8.self))")
    }
  }
}
