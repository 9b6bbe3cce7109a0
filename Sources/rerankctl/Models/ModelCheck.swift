import EmbeddedEngine
import Foundation
import Scoring

/// Holds a model to all that can be told of it on this machine: one step after the other, each with
/// what it found. What a step needs from one that failed is left out.
struct ModelCheck {
  struct Step: Encodable {
    var name: String
    var passed: Bool
    var detail: String
  }

  struct Speed: Encodable {
    var precision: String
    var pairsPerCpuSecond: Double
    var tokensPerPair: Int
  }

  struct Report: Encodable {
    var model: String
    var passed: Bool
    var steps: [Step]
    var speed: [Speed]
    /// Precisions that this model is not to be used in, with the reason.
    var unfitPrecisions: [String] = []
  }

  let location: ModelLocation
  /// CPU seconds that measuring the speed in one precision takes at least.
  var probeSeconds = 0.5

  /// A question, a text that answers it, and one that has nothing to do with it.
  static let sanity = (
    query: "What is the capital of France?",
    relevant: "Paris is the capital and most populous city of France.",
    irrelevant: "Bread is baked from a dough of flour, water and yeast."
  )

  func run() async -> Report {
    var report = Report(model: location.description, passed: false, steps: [], speed: [])
    let description = step("files", &report) {
      let description = try location.files.description()
      let manifest = description.hasManifest ? "" : "; no rerankd-model.json"
      return (
        "\(description.architecture), \(description.tensorCount) tensors, "
          + "\(description.parameterCount) parameters\(manifest)", description
      )
    }
    guard let description else { return report }
    var goldenMismatch: EmbeddedEngineError?
    let model = step("tensors", &report) {
      let model: EmbeddedModel
      do {
        model = try location.files.load(name: location.name, precision: .fp32)
      } catch let error as EmbeddedEngineError where error.code == .goldenMismatch {
        // The last thing that loading does: the tensors were found.
        goldenMismatch = error
        return ("none missing, all of their shapes", EmbeddedModel?.none)
      }
      let surplus = model.notices.isEmpty ? "none surplus" : model.notices.joined(separator: "; ")
      return ("none missing, all of their shapes; \(surplus)", model)
    }
    if let goldenMismatch {
      report.steps.append(
        Step(name: "golden pairs", passed: false, detail: "\(goldenMismatch)"))
    }
    step("numbers", &report) {
      let wrong = try location.files.nonFiniteTensors()
      guard wrong.isEmpty else {
        throw InputError("NaN or infinity in \(wrong.joined(separator: ", "))")
      }
      return ("no NaN and no infinity in any tensor", ())
    }
    if let model = model.flatMap(\.self) {
      step("golden pairs", &report) {
        // Loading has scored them; a model that misses one is not loaded.
        let count = description.goldenPairCount
        return (count == 0 ? "the manifest has none" : "\(count) of \(count) within rounding", ())
      }
      step("tokenizer", &report) {
        (try TokenizerCheck(model: model, vocabulary: description).run(), ())
      }
      await sanityStep(model, &report)
      await precisionSteps(model, description, &report)
    }
    report.passed = report.steps.allSatisfy(\.passed)
    return report
  }

  @discardableResult
  private func step<Value>(
    _ name: String, _ report: inout Report, _ body: () throws -> (String, Value)
  ) -> Value? {
    do {
      let (detail, value) = try body()
      report.steps.append(Step(name: name, passed: true, detail: detail))
      return value
    } catch {
      report.steps.append(Step(name: name, passed: false, detail: "\(error)"))
      return nil
    }
  }

  private func sanityStep(_ model: EmbeddedModel, _ report: inout Report) async {
    let name = "sense"
    do {
      let scores = try await ModelProbe(model: model).scores(
        query: Self.sanity.query, documents: [Self.sanity.relevant, Self.sanity.irrelevant])
      let said = scores.map { OutcomeView.fixed($0.rankingKey) }
      report.steps.append(
        Step(
          name: name, passed: scores[0].rankingKey > scores[1].rankingKey,
          detail: "an answer gets the logit \(said[0]), a text about something else \(said[1])"))
    } catch {
      report.steps.append(Step(name: name, passed: false, detail: "\(error)"))
    }
  }

  /// That what `auto` takes is right decides; any other precision has to be asked for, and is then
  /// refused where a golden pair is missed in it.
  ///
  /// - Parameter model: in fp32.
  private func precisionSteps(
    _ model: EmbeddedModel, _ description: ModelDescription, _ report: inout Report
  ) async {
    let automatic = step("precision", &report) {
      let model = try location.files.load(name: location.name, precision: .auto)
      return ("auto takes \(model.precision)", model)
    }
    let loaded = [model, automatic].compactMap(\.self)
    for precision in ModelProbe.fastPrecisions {
      do {
        let probe = try ModelProbe(
          model: loaded.first { $0.precision == precision.rawValue }
            ?? location.files.load(name: location.name, precision: precision))
        report.speed.append(
          try await probe.speed(
            contextTokens: description.contextTokens, seconds: probeSeconds))
      } catch {
        report.unfitPrecisions.append("\(precision.rawValue): \(error)")
      }
    }
  }
}
