import ArgumentParser
import Ledger
import QueueRole
import Settings
import Testing

@testable import rerankd

@Suite struct QueueOptionsTests {
  @Test func flagsGoBeforeTheFile() throws {
    let configuration = try DaemonConfiguration(
      file: "r.yaml", text: "queue:\n  shard: 1\n  ledger:\n    path: a.sqlite\n")
    var flags = try QueueOptions.parse(["--ledger", "b.sqlite", "--intake-endpoint", "off"])
    var queue = try flags.applied(to: configuration.queue)
    #expect(queue.ledger.path == "b.sqlite")
    #expect(queue.shard == 1)
    #expect(queue.shell.bareEndpoint == nil)
    flags = try QueueOptions.parse([])
    queue = try flags.applied(to: configuration.queue)
    #expect(queue.ledger.path == "a.sqlite")
  }

  @Test func listeningBeyondThisMachineWithoutKeysMustBeSaidTwice() throws {
    let open = "queue:\n  sockets:\n    producers: tcp://0.0.0.0:7801\n"
    let insecure = open + "    insecure: true\n"
    func applied(_ text: String, _ arguments: [String]) throws {
      let configuration = try DaemonConfiguration(file: "r.yaml", text: text)
      _ = try QueueOptions.parse(arguments).applied(to: configuration.queue)
    }
    #expect(throws: ConfigurationError.self) { try applied(open, []) }
    #expect(throws: ConfigurationError.self) { try applied(open, ["--insecure"]) }
    #expect(throws: ConfigurationError.self) { try applied(insecure, []) }
    try applied(insecure, ["--insecure"])
  }
}
