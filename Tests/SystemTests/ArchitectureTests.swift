import Foundation
import TestSupport
import Testing

/// What the architecture promises about the sources, read from the sources.
@Suite struct ArchitectureTests {
  private struct Source {
    /// "Sources/Ledger/Ledger.swift"
    var path: String
    var target: String
    var text: String

    var imports: [String] {
      text.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard let position = words.firstIndex(of: "import"), position < 3,
          words[..<position].allSatisfy({ $0.hasPrefix("@") || Self.accessLevels.contains($0) }),
          let module = words.dropFirst(position + 1).last
        else { return nil }
        return module.split(separator: ".").first.map { String($0) }
      }
    }

    private static let accessLevels: Set<Substring> = ["public", "package", "internal", "private"]
  }

  private static let root = PackageFolder.url

  private func sources(_ folder: String = "Sources") throws -> [Source] {
    let base = Self.root.appending(path: folder)
    let files = try #require(FileManager.default.enumerator(atPath: base.path))
    return try files.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.map { path in
      Source(
        path: "\(folder)/\(path)", target: path.split(separator: "/").first.map(String.init) ?? "",
        text: try String(contentsOf: base.appending(path: path), encoding: .utf8))
    }
  }

  private func importers(of modules: Set<String>, from targets: Set<String>) throws -> [String] {
    try sources().filter { targets.contains($0.target) }
      .filter { !modules.isDisjoint(with: $0.imports) }.map(\.path)
  }

  @Test func theSourcesAreFound() throws {
    let targets = Set(try sources().map(\.target))
    #expect(
      targets.isSuperset(of: ["QueueRole", "WorkerRole", "GatewayRole", "RerankdClient", "Ledger"]))
    #expect(try importers(of: ["Ledger"], from: ["QueueRole"]) != [])
  }

  @Test func rolesNeverImportOneAnother() throws {
    let roles: Set = ["QueueRole", "WorkerRole", "GatewayRole"]
    for role in roles {
      #expect(try importers(of: roles.subtracting([role]), from: [role]) == [])
    }
    // A gateway is a client of its queue; nobody else is.
    #expect(try importers(of: roles, from: ["RerankdClient"]) == [])
    #expect(try importers(of: ["RerankdClient"], from: ["QueueRole", "WorkerRole"]) == [])
  }

  @Test func theLedgerAloneKnowsItsDatabase() throws {
    let targets = Set(try sources().map(\.target)).subtracting(["Ledger"])
    #expect(try importers(of: ["GRDB", "GRDBSQLite", "SQLite3"], from: targets) == [])
  }

  @Test func workerAndGatewayKnowEnginesByTheirProtocolAlone() throws {
    let engines: Set = ["EmbeddedEngine", "RemoteEngine", "CEngineKernels", "CBuiltInModel"]
    #expect(
      try importers(of: engines, from: ["WorkerRole", "QueueRole", "GatewayRole", "Scoring"]) == [])
  }

  @Test func theEvaluationKnowsNoEngineAndNoWire() throws {
    let targets = Set(try sources().map(\.target))
    #expect(targets.contains("Evaluation"))
    #expect(try importers(of: targets, from: ["Evaluation"]) == [])
  }

  @Test func theWireAndTheRolesKnowNoProcess() throws {
    let targets = Set(try sources().map(\.target)).subtracting(["rerankd", "rerankctl"])
    #expect(try importers(of: ["ArgumentParser"], from: targets) == [])
    #expect(try importers(of: ["Yams", "Settings"], from: targets.subtracting(["Settings"])) == [])
  }

  @Test func onlyProcessesAndTheirSettingsKnowWhereMetricsAndTracesGo() throws {
    let targets = Set(try sources().map(\.target)).subtracting(["rerankd", "rerankctl", "Settings"])
    #expect(try importers(of: ["Observability"], from: targets) == [])
    #expect(try importers(of: ["CoreMetrics"], from: ["QueueRole", "WorkerRole"]) != [])
  }

  @Test func nothingIsLeftToDoOrToTrap() throws {
    let words = ["try!", "fatalError(", "TODO", "FIXME", "as!"]
    let found = try sources().filter { !$0.path.contains("/Generated/") }.flatMap { source in
      words.filter { source.text.contains($0) }.map { "\(source.path): \($0)" }
    }
    #expect(found == [])
  }

  @Test func theTopLevelIsWhatTheReadmeSays() throws {
    let git = Process()
    git.executableURL = URL(filePath: "/usr/bin/env")
    git.arguments = ["git", "-C", Self.root.path, "ls-files"]
    let output = Pipe()
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    try git.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    git.waitUntilExit()
    // An exported tree has no index; its files then are what there is.
    let names =
      git.terminationStatus == 0
      ? String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap {
        $0.split(separator: "/").first.map(String.init)
      } : try FileManager.default.contentsOfDirectory(atPath: Self.root.path)
    let visible = Set(names).filter { !$0.hasPrefix(".") }.subtracting(["Package.resolved"])
    #expect(
      visible.sorted() == ["Package.swift", "README.md", "Sources", "Tests", "deploy", "protocol"])
  }
}
