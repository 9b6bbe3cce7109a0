import ArgumentParser
import EmbeddedEngine
import Foundation
import GatewayRole
import RerankdClient
import RerankdProtocol
import Scoring
import Settings

struct BudgetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budget",
    abstract: "Counts the tokens of documents, and says which fit the model's context.",
    discussion: """
      rerankctl budget "how do glaciers move?" "Ice deforms." "Glass is made of sand."
      rerankctl budget "a red bicycle" --image photo.png --image https://shop.example/1.jpg
      rerankctl budget "how do glaciers move?" --documents books.txt --over-budget windows
      rerankctl budget "q" --documents passages.jsonl --model vl --config /etc/rerankd.yaml

      Counted on this machine, with the model's own tokenizer: of the built-in model, of a folder, or
      as the configuration file has it. A model that only the queue knows, or one without a tokenizer
      here, is estimated from above, and the output says so. Exit code 1 when a document does not fit.
      """)

  @Argument(help: "What the documents are ranked for.")
  var query: String

  @Argument(help: "The documents.")
  var documents: [String] = []

  @Option(
    name: .customLong("documents"),
    help: "A file of documents, \"-\" for standard input, as `rerankctl rerank` takes them.",
    completion: .file())
  var documentsFile: String?

  @Option(
    name: .customLong("image"), help: "A document of an image alone: a file, or a URL.",
    completion: .file())
  var images: [String] = []

  @Option(
    name: [.short, .long],
    help: "builtin, a Hugging Face folder, or a name of the configuration or the catalogue.")
  var model = "builtin"

  @Option(
    help: "rerankd's configuration file. Environment: RERANKD_CONFIG.",
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Option(help: "An instruction for models that take one.")
  var instruction: String?

  @Option(help: "What would become of documents beyond the budget: reject, truncate or windows.")
  var overBudget = OverBudgetWord.reject

  @Option(help: "Shorten each document's text to so many tokens first.")
  var maxTokensPerDoc: Int?

  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if let maxTokensPerDoc, maxTokensPerDoc < 1 {
      throw ValidationError("--max-tokens-per-doc must be at least 1")
    }
  }

  func run() async throws {
    try await CommandFailure.reporting {
      var contents = documents.map(Content.init(text:))
      if let documentsFile { contents += try DocumentFile.read(documentsFile) }
      contents += try images.map(image)
      guard !contents.isEmpty else {
        throw InputError(
          "no documents: give them as arguments, by --documents FILE or --image FILE")
      }
      let counted = try await countedModel()
      let budget = TokenBudget(
        model: counted.model, counter: counted.counter, policy: .init(overBudget.policy),
        documentTokensMax: maxTokensPerDoc)
      let request = ScoringRequest(
        model: model, query: RerankContent(Content(text: query)),
        documents: contents.map { RerankContent($0) }, instruction: instruction)
      let view: BudgetView
      do throws(EngineError) {
        view = BudgetView(
          counted.model, estimated: counted.counter.isEstimate,
          try budget.check(request).documents(), texts: contents.map(\.summary))
      } catch {
        throw InputError(error.message)
      }
      try connection.printer.object(view) {
        view.text(widthMax: Printer.terminalWidth, palette: connection.printer.palette)
      }
      if view.documents.contains(where: { !$0.fits }) { throw CommandFailure.unsuccessful }
    }
  }

  private func image(_ source: String) throws -> Content {
    var content = Content()
    var part = Part()
    if source.contains("://") {
      part.image.url = source
    } else {
      guard let data = FileManager.default.contents(atPath: source) else {
        throw InputError("\(source): cannot be read; is it there, and may you read it?")
      }
      part.image.data = data
    }
    content.parts = [part]
    return content
  }

  // MARK: The model

  private func countedModel() async throws -> CountedModel {
    let environment = ProcessInfo.processInfo.environment
    if let path = config ?? environment["RERANKD_CONFIG"] {
      let file = try DaemonConfiguration.load(
        ConfigurationLayers(path: path, environment: environment))
      if let found = try ModelCounters(file.models).model(model) { return found }
      guard ModelLocation(argument: model)?.exists == true else {
        let names = file.models.map(\.name).joined(separator: ", ")
        throw InputError("model \"\(model)\" is not in \(path), which has \(names)")
      }
    }
    if let location = ModelLocation(argument: model), location.exists {
      if let found = try Self.local(location) { return found }
    }
    return try await fromCatalogue()
  }

  private static func local(_ location: ModelLocation) throws -> CountedModel? {
    let description = try location.files.description()
    var settings = ModelSettings.builtIn
    settings.name = location.name
    if case .folder(let folder) = location.files { settings.source = .folder(folder.path) }
    settings.contextTokens = description.contextTokens
    settings.reservedTokens = description.reservedTokens
    return try ModelCounters([settings]).model(location.name)
  }

  private func fromCatalogue() async throws -> CountedModel {
    var found: ModelInfo?
    try await connection.withClient { client in
      found = try await client.models().first { $0.name == model }
      guard found != nil else {
        throw InputError(
          "model \"\(model)\" is neither a folder with a config.json nor in the queue's catalogue; "
            + "`rerankctl models list` shows that")
      }
    }
    guard let found else { throw CommandFailure.wrongInput }
    return CountedModel(
      model: EngineModel(
        name: found.name, contextTokens: Int(found.contextTokens),
        reservedTokens: Int(found.reservedTokens), acceptsImages: found.images),
      counter: EstimatedTokenCounter())
  }
}
