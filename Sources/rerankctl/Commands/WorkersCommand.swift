import ArgumentParser
import RerankdClient

struct WorkersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "workers", abstract: "Looks at the attached workers.",
    subcommands: [List.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the attached workers.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        let views = try await client.workers().map(WorkerView.init)
        try connection.printer.list(views) { WorkerView.table(views) }
      }
    }
  }
}
