import ArgumentParser
import EmbeddedEngine
import Foundation
import Scoring

struct ModelsAddCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Checks a folder, and adds it to the models of a configuration file.",
    discussion: """
      rerankctl models add ./my-reranker --config rerankd.yaml
      rerankctl models add ./my-reranker --name mine --dry-run

      A folder without a rerankd-model.json gets one: what is known of its family, and a pair with the \
      logit that it has in fp32 here, which is scored again whenever the model is loaded. Without a \
      configuration file the entry is printed. Queue and workers read it when they start.
      """)

  @Argument(help: "A Hugging Face folder.")
  var path: String

  @Option(help: "What jobs call it; the folder's name by default.")
  var name: String?

  @Option(help: "rerankd's configuration file. Environment: RERANKD_CONFIG.")
  var config: String?

  @Flag(help: "Write nothing: print the entry.")
  var dryRun = false

  func run() async throws {
    try await CommandFailure.reporting {
      guard let location = ModelLocation(argument: path), case .folder(let folder) = location.files
      else { throw InputError("\(path): the built-in model needs no entry of its own") }
      let report = await ModelCheck(location: location).run()
      Printer(format: .table).write(report.text)
      guard report.passed else { throw CommandFailure.unsuccessful }
      try await add(location, folder.standardizedFileURL)
    }
  }

  private func add(_ location: ModelLocation, _ folder: URL) async throws {
    let name = name ?? location.name
    let description = try location.files.description()
    let entry = ModelEntry(
      name: name, folder: folder.path, contextTokens: description.contextTokens,
      reservedTokens: description.reservedTokens)
    let path = config ?? ProcessInfo.processInfo.environment["RERANKD_CONFIG"]
    guard let path, !dryRun else {
      return print(entry.lines(indent: 2).joined(separator: "\n"))
    }
    let file = URL(filePath: path)
    let changed = try entry.added(to: read(file))
    if !description.hasManifest {
      let manifest = folder.appending(path: "rerankd-model.json")
      try await description.manifest(name: name, golden: [goldenPair(location)])
        .write(to: manifest, options: .atomic)
      print("wrote \(manifest.path)")
    }
    try Data(changed.utf8).write(to: file, options: .atomic)
    print("added \(name) to \(path)")
  }

  private func read(_ file: URL) throws -> String {
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw InputError("\(file.path): there is no such file; make it first, an empty one will do")
    }
    return try String(contentsOf: file, encoding: .utf8)
  }

  private func goldenPair(_ location: ModelLocation) async throws -> ModelDescription.ScoredPair {
    let (query, document, _) = ModelCheck.sanity
    let probe = try ModelProbe(model: location.files.load(name: location.name, precision: .fp32))
    let score = try await probe.scores(query: query, documents: [document])[0]
    return (query, document, score.rankingKey)
  }
}
