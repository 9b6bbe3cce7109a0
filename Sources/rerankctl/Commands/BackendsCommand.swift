import ArgumentParser
import RerankdClient
import RerankdProtocol

struct BackendsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backends",
    abstract:
      "Looks at the remote backends, asks whether they work, and takes one out of service or back.",
    discussion: """
      rerankctl backends list
      rerankctl backends test hub
      rerankctl backends pause hub
      rerankctl backends resume hub
      """,
    subcommands: [
      List.self, BackendsTestCommand.self, PauseCommand<BackendChoice>.self,
      ResumeCommand<BackendChoice>.self,
    ], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the backends: their state, their limits and how their requests ended.",
      discussion: "rerankctl backends list -o json | jq '.[] | select(.state != \"open\")'")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        let views = try await client.status().backends.map(BackendView.init)
        try connection.printer.list(views) { BackendView.table(views) }
      }
    }
  }
}
