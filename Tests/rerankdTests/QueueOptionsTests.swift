import ArgumentParser
import Ledger
import QueueRole
import Settings
import Testing

@testable import rerankd

@Suite struct QueueOptionsTests {
  private func load(_ text: String, _ arguments: [String]) throws -> QueueConfiguration {
    let layers = try QueueOptions.parse(arguments).layers(CommonOptions.parse([]), [.queue])
    return try DaemonConfiguration(file: "r.yaml", text: text, layers).queue
  }

  @Test func flagsGoBeforeTheFile() throws {
    let file = "queue:\n  shard: 1\n  ledger:\n    path: a.sqlite\n"
    let queue = try load(file, ["--ledger", "b.sqlite", "--intake-endpoint", "off"])
    #expect(queue.ledger.path == "b.sqlite")
    #expect(queue.shard == 1)
    #expect(queue.shell.bareEndpoint == nil)
    #expect(try load(file, []).ledger.path == "a.sqlite")
  }

  @Test func aWrongFlagIsNamed() {
    let error = #expect(throws: ConfigurationError.self) {
      try load("", ["--producer-endpoint", "nowhere"])
    }
    #expect(error?.place == "--producer-endpoint")
    #expect(error?.key == "queue.sockets.producers")
  }

  @Test func aChildGetsTheSameFlags() throws {
    let arguments = ["--ledger", "l", "--shard", "3", "--insecure"]
    #expect(try QueueOptions.parse(arguments).arguments == arguments)
  }

  @Test func listeningBeyondThisMachineWithoutKeysMustBeSaidTwice() throws {
    let open = "queue:\n  sockets:\n    producers: tcp://0.0.0.0:7801\n"
    let insecure = open + "    insecure: true\n"
    for (text, arguments) in [(open, []), (open, ["--insecure"]), (insecure, [])] {
      let error = #expect(throws: ConfigurationError.self) { try load(text, arguments) }
      #expect(error?.place == "r.yaml:3")
    }
    _ = try load(insecure, ["--insecure"])
  }
}
