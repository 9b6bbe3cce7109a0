import ArgumentParser
import RerankdClient
import RerankdProtocol

struct BackendsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backends",
    abstract:
      "Looks at the remote backends, asks whether they work, and takes one out of service or back.",
    subcommands: [List.self, BackendsTestCommand.self, Pause.self, Resume.self],
    defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the backends: their state, their limits and how their requests ended.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        let views = try await client.status().backends.map(BackendView.init)
        try connection.printer.list(views) { BackendView.table(views) }
      }
    }
  }

  struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Sends nothing to a backend until it is resumed; its jobs wait, or go to fallbacks."
    )

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The backend's name.")
    var name: String

    func run() async throws {
      try await connection.withClient { try await $0.setBackendPaused(name, true) }
    }
  }

  struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Sends to a backend again; ends a rest of it as well, whatever the rest is for.")

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The backend's name.")
    var name: String

    func run() async throws {
      try await connection.withClient { try await $0.setBackendPaused(name, false) }
    }
  }
}
