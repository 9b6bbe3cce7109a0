import EmbeddedEngine
import Foundation
import Scoring

/// The embedded engine as one of the processes that `compare.py` measures against one another.
///
/// Arguments: `--model FOLDER` (else the model inside the binary), `--precision`, `--path`,
/// `--lanes`, and `--whole-last-layer`, which computes what the last layer's cut saves. Once a
/// first pair is scored the process says so on a line of JSON; then each line of its input names a
/// workload, and it answers with what that took.
@main
struct EngineBench {
  static func main() async {
    do {
      guard let options = try Options(CommandLine.arguments.dropFirst()) else {
        print(Options.usage)
        return
      }
      try await measure(options)
    } catch {
      FileHandle.standardError.write(Data("engine-bench: \(error)\n".utf8))
      exit(error is Options.Mistake ? 64 : 1)
    }
  }

  private static func measure(_ options: Options) async throws {
    var model =
      if let folder = options.folder {
        try EmbeddedModel.load(
          folder: URL(filePath: folder, directoryHint: .isDirectory), name: Workload.model,
          precision: options.precision, kernelPath: options.path)
      } else {
        try EmbeddedModel.builtIn(
          name: Workload.model, precision: options.precision, kernelPath: options.path)
      }
    if options.computesWholeLastLayer { model = model.computingWholeLastLayer() }
    let engine = try EmbeddedEngine(
      models: [model], configuration: EmbeddedEngineConfiguration(laneCount: options.lanes))
    let first = try await engine.score(Workload.first, progress: {})
    report([
      "engine": "rerankd", "path": (options.path ?? .best).rawValue,
      "precision": first.precision ?? "", "logit": first.scores[0].rankingKey,
      "peak_mb": ProcessUsage.peakMegabytes,
    ])

    while let line = readLine() {
      guard let workload = Workload(named: line) else {
        throw Options.Mistake(
          description: "there is no workload \(line); "
            + "\(Workload.names.joined(separator: ", ")) work")
      }
      let before = ProcessUsage.now
      let tokens = try await workload.run(engine)
      let after = ProcessUsage.now
      report([
        "pairs": workload.pairs, "tokens": tokens, "cpu": after.cpu - before.cpu,
        "wall": after.wall - before.wall, "peak_mb": ProcessUsage.peakMegabytes,
      ])
    }
  }

  private static func report(_ values: [String: Any]) {
    guard let json = try? JSONSerialization.data(withJSONObject: values, options: .sortedKeys)
    else { return }
    FileHandle.standardOutput.write(json + Data("\n".utf8))
  }
}
