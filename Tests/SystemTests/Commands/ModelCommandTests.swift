import Foundation
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl models`, on this machine's files and on a queue's catalogue.
  @Suite struct ModelCommandTests {
    private var families: URL {
      URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/families")
    }

    /// The exit code is the verdict.
    @Test func verifyTellsASoundFolderFromASpoiltOne() async throws {
      let folder = try TemporaryFolder("model")
      let model = folder.url.appending(path: "tiny")
      try FileManager.default.copyItem(
        at: families.appending(path: "modernbert-cls"), to: model)
      let sound = try await ControlOutput.of(["models", "verify", model.path])
      #expect(sound.exit == .status(0), "\(sound.output)")
      for step in ["files", "tensors", "numbers", "golden pairs", "tokenizer", "sense"] {
        #expect(sound.output.contains("ok    \(step)"))
      }
      #expect(sound.output.contains("pairs a CPU-second at 128 tokens"))

      let report = try await ControlOutput.of(["models", "verify", model.path, "-o", "json"])
        .json(as: "models-verify")
      #expect(report["passed"].bool == true && report["speed"].items.count > 0)

      let weights = model.appending(path: "model.safetensors")
      try Data(contentsOf: weights).dropLast(10).write(to: weights)
      let spoilt = try await ControlOutput.of(["models", "verify", model.path])
      #expect(spoilt.exit == .status(1))
      #expect(spoilt.output.contains("is the file cut short?"))
      #expect(spoilt.output.hasSuffix("cannot be used\n"))
      let lines = try await ControlOutput.of(["models", "verify", model.path, "-o", "jsonl"])
      #expect(try lines.lines(as: "models-verify").map { $0["passed"].bool } == [false])
    }

    @Test func anAddedModelIsServedUnderItsName() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let model = system.folder.url.appending(path: "tiny")
        try FileManager.default.copyItem(
          at: families.appending(path: "modernbert-cls"), to: model)
        let manifest = model.appending(path: "rerankd-model.json")
        try FileManager.default.removeItem(at: manifest)
        let config = system.folder.path("rerankd.yaml")
        let added = try await system.control([
          "models", "add", model.path, "--name", "mine", "--config", config,
        ])
        try #require(added.exit == .status(0), "\(added.output)\(added.error)")
        let written = try String(contentsOf: manifest, encoding: .utf8)
        #expect(written.contains("\"golden\""))

        // Queue and worker read the file that was written.
        try await system.kill("queue")
        try await system.startQueue()
        try system.startWorker("w0")
        try await system.waitForWorkers(1)
        let listed = try await system.lines(["models", "list"], as: "models-list")
        #expect(Set(listed.compactMap { $0["name"].text }) == ["mine", "builtin"])
        let list = try await system.control(["models", "list"])
        #expect(list.output.contains("mine"))
        #expect(list.output.contains("builtin"))
        let shown = try await system.control(["models", "show", "mine"])
        #expect(shown.output.contains("workers    1"))
        let ranked = try await system.control(["rerank", "q", "a text", "--model", "mine"])
        #expect(ranked.exit == .status(0), "\(ranked.error)")
      }
    }

    @Test func showReadsAFolderWithoutAQueue() async throws {
      let shown = try await ControlOutput.of([
        "models", "show", families.appending(path: "xlm-roberta").path,
      ])
      #expect(shown.exit == .status(0))
      #expect(shown.output.contains("XLMRobertaForSequenceClassification"))
      #expect(shown.output.contains("Unigram, 201 tokens"))
      let json = try await ControlOutput.of([
        "models", "show", families.appending(path: "xlm-roberta").path, "-o", "json",
      ]).json(as: "models-show")
      #expect(json["vocabulary"].number == 201)
    }
  }
}
