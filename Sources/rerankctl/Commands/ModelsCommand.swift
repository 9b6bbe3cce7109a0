import ArgumentParser
import EmbeddedEngine
import Foundation
import RerankdClient
import RerankdProtocol

struct ModelsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "Looks at the queue's catalogue; pulls, checks and adds models of this machine.",
    discussion: """
      rerankctl models list                          what the queue takes jobs for
      rerankctl models pull ORG/NAME                 bring one of the Hugging Face hub here
      rerankctl models show ./my-reranker            what is in a Hugging Face folder
      rerankctl models verify ./my-reranker          whether it is computed rightly here, and how fast
      rerankctl models add ./my-reranker --config rerankd.yaml
      """,
    subcommands: [
      List.self, Show.self, ModelsPullCommand.self, Verify.self, ModelsAddCommand.self,
    ],
    defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the queue's catalogue.",
      discussion: "rerankctl models list -o json | jq '.[] | select(.workers == 0)'")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withQueues { queues in
        let answers = try await queues.ask { queue throws(CallError) in try await queue.models() }
        let views = ModelInfo.merged(answers.values.map(\.value)).map(ModelView.init)
        try connection.printer.list(views) { ModelView.table(views) }
        try QueueFailure.report(answers.failures)
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows one model.",
      discussion: """
        rerankctl models show ./my-reranker
        rerankctl models show builtin

        "builtin" and folders are read on this machine, without a queue; any other name is looked up in \
        the queue's catalogue.
        """)

    @Argument(help: "builtin, a Hugging Face folder, or a name of the catalogue.")
    var model: ModelLocation

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      guard !model.exists else { return try await CommandFailure.reporting(showFiles) }
      try await connection.withClient { client in
        let catalogue = try await client.models()
        guard let found = catalogue.first(where: { $0.name == model.description }) else {
          throw InputError(
            "\(model) is neither a folder with a config.json nor in the queue's catalogue")
        }
        let view = ModelView(found)
        try connection.printer.object(view) { view.text }
      }
    }

    private func showFiles() throws {
      let view = try ModelDescriptionView(model.files.description(), model: model.description)
      try connection.printer.object(view) { view.text }
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks a model of this machine, and measures its speed.",
      discussion: """
        rerankctl models verify ./my-reranker

        Tensors (missing, surplus, misshapen, no numbers), golden pairs, the tokenizer, and whether an \
        answer ranks above a text about something else. Exit code 1 when one of them fails.
        """)

    @Argument(help: "builtin, or a Hugging Face folder.")
    var model: ModelLocation

    @OptionGroup var display: OutputOptions

    func run() async throws {
      try await CommandFailure.reporting {
        let report = await ModelCheck(location: model).run()
        try display.printer.object(report) { report.text }
        guard report.passed else { throw CommandFailure.unsuccessful }
      }
    }
  }
}
