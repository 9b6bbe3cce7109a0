import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

/// What rerankctl prints for programs, held against its schema.
extension ControlOutput {
  private static let schema = Result {
    try JSONSchema(
      path: PackageFolder.url.appending(path: "protocol/schemas/rerankctl.schema.json").path)
  }

  /// The one document that was printed.
  func json(as definition: String, _ location: SourceLocation = #_sourceLocation) throws -> JSON {
    let value: JSON
    do {
      value = try JSON(output)
    } catch {
      throw TimeoutError(description: "no JSON: \(output)\(self.error)")
    }
    let problems = try Self.schema.get().problems(of: value, as: definition)
    #expect(problems == [], sourceLocation: location)
    return value
  }

  /// The documents that were printed, one a line.
  func lines(
    as definition: String, _ location: SourceLocation = #_sourceLocation
  ) throws -> [JSON] {
    try output.split(separator: "\n").map { line in
      let value = try JSON(line)
      let problems = try Self.schema.get().problems(ofLine: value, as: definition)
      #expect(problems == [], sourceLocation: location)
      return value
    }
  }

  /// A table's rows, each of them its columns, which two spaces or more are between.
  var rows: [[String]] {
    output.split(separator: "\n").map { line in
      line.split(separator: /\ {2,}/).map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }
}

extension RunningSystem {
  /// Runs a verb that must succeed, and returns its JSON.
  func json(
    _ arguments: [String], as definition: String, exit: Int32 = 0,
    _ location: SourceLocation = #_sourceLocation
  ) async throws -> JSON {
    let end = try await control(arguments + ["--output", "json"])
    #expect(end.exit == .status(exit), "\(end.error)", sourceLocation: location)
    return try end.json(as: definition, location)
  }

  /// As ``json(_:as:exit:_:)``, for JSON Lines.
  func lines(
    _ arguments: [String], as definition: String, exit: Int32 = 0,
    _ location: SourceLocation = #_sourceLocation
  ) async throws -> [JSON] {
    let end = try await control(arguments + ["--output", "jsonl"])
    #expect(end.exit == .status(exit), "\(end.error)", sourceLocation: location)
    return try end.lines(as: definition, location)
  }

  /// Waits until jobs have ended, whichever way.
  func waitForEnd(of ids: [JobID]) async throws {
    try await withClient { client in
      for id in ids {
        try await eventually("the end of \(id)", timeout: .seconds(60)) {
          try await client.job(id).state.isTerminal
        }
      }
    }
  }
}
