import ArgumentParser
import RerankdClient
import RerankdProtocol
import SwiftProtobuf

struct RerankCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rerank",
    abstract: "Reranks documents and prints the ranking.",
    discussion: """
      rerankctl rerank "how do glaciers move?" "Ice deforms." "Glass is made of sand."
      rerankctl rerank "how do glaciers move?" --documents passages.txt --top-n 5
      rerankctl rerank "how do glaciers move?" --documents books.txt --over-budget windows
      rerankctl rerank "a red bicycle" --documents - --output json < products.jsonl
      """)

  @Argument(help: "What the documents are ranked for.")
  var query: String

  @Argument(help: "The documents.")
  var documents: [String] = []

  @Option(
    name: .customLong("documents"),
    help: """
      A file of documents, "-" for standard input: a line each, or JSONL where every line is an object \
      with text, image_url or content.
      """)
  var documentsFile: String?

  @Option(help: "Print only so many of the best.")
  var topN: UInt32 = 0

  @Option(help: "An instruction for models that take one.")
  var instruction: String?

  @OptionGroup var job: JobOptions
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    try await connection.withClient { client in
      var contents = documents.map(Content.init(text:))
      if let documentsFile { contents += try DocumentFile.read(documentsFile) }
      guard !contents.isEmpty else {
        throw InputError("no documents: give them as arguments or by --documents FILE")
      }
      var line = job.defaults
      line.request.query = Content(text: query)
      line.request.documents = contents
      line.request.topN = topN
      line.request.instruction = instruction ?? ""
      let outcome = try await client.rerank(line.job(), cancelsJob: true)
      try show(
        outcome, texts: contents.map(\.summary), mayBeFallback: line.spec.allowFallback)
    }
  }

  private func show(_ outcome: JobOutcome, texts: [String], mayBeFallback: Bool) throws {
    let view = OutcomeView(outcome, documents: texts)
    if let error = view.error, connection.output == .table {
      CommandFailure.say("job \(view.jobId) ended as \(view.state): \(error)")
    } else {
      try connection.printer.object(view) {
        view.text(
          widthMax: Printer.terminalWidth, namesScorer: mayBeFallback,
          palette: connection.printer.palette)
      }
    }
    guard view.error == nil else { throw CommandFailure.unsuccessful }
  }
}
