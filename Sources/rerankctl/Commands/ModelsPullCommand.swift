import ArgumentParser
import Foundation

struct ModelsPullCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Brings a model of the Hugging Face hub here: what the engine reads of it.",
    discussion: """
      rerankctl models pull ORG/NAME
      rerankctl models pull ORG/NAME --to /var/lib/rerankd/models/reranker
      rerankctl models pull ORG/NAME --revision v1.1 -o json | jq -r .commit
      HF_TOKEN=… rerankctl models pull ORG/GATED-NAME
      rerankctl models pull ORG/NAME --tokenizer-only --to tokenizers/vl

      Every file is checked against the hub's checksum before it gets its name; a pull that was cut
      off goes on where it stopped, and one that is repeated fetches what has changed. HF_ENDPOINT
      names another hub or a mirror, HF_TOKEN who asks. Weights come as safetensors or not at all.
      Then: rerankctl models verify FOLDER, and models add FOLDER.

      Exit codes: 1 a file came out wrong or this machine refused it; 65 the hub has no such model for
      you, or none that the engine computes; 69 the hub does not answer.
      """)

  @Argument(help: "The model, as in the address of its page: ORG/NAME.")
  var model: HubModel

  @Option(help: "A branch, a tag or a commit.")
  var revision = "main"

  @Option(
    help: "The folder that it goes into; one of the model's name, here, by default.",
    completion: .directory)
  var to: String?

  @Flag(help: "Only its tokenizer, for the tokenizer_folder of a backend's model.")
  var tokenizerOnly = false

  @OptionGroup var display: OutputOptions

  private static let revisionCharactersMax = 200

  func validate() throws {
    guard (1...Self.revisionCharactersMax).contains(revision.count) else {
      throw ValidationError("--revision has 1 to \(Self.revisionCharactersMax) characters")
    }
  }

  func run() async throws {
    try await CommandFailure.reporting {
      let configuration = try HubConfiguration(environment: ProcessInfo.processInfo.environment)
      let folder = URL(filePath: to ?? model.name, directoryHint: .isDirectory)
      let client = HubClient(configuration, model: model, revision: revision)
      var pull = ModelPull(
        client: client, folder: folder.standardizedFileURL, tokenizerOnly: tokenizerOnly)
      let end: Result<PulledModelView, any Error>
      do {
        end = .success(try await pull.run())
      } catch {
        end = .failure(error)
      }
      try await client.shutdown()
      let view = try end.get()
      try display.printer.object(view) { view.text(palette: display.printer.palette) }
      if display.output == .table, !tokenizerOnly {
        CommandFailure.say("now check it: rerankctl models verify \(to ?? model.name)")
      }
    }
  }
}
