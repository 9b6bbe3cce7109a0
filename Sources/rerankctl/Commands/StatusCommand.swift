import ArgumentParser
import RerankdClient

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Prints what the queue holds and how it fares.")

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    try await connection.withClient { client in
      let view = StatusView(try await client.status())
      try connection.printer.object(view) { view.text }
    }
  }
}
