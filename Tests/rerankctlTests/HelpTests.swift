import ArgumentParser
import Foundation
import RerankdProtocol
import TestSupport
import Testing

@testable import rerankctl

/// What `--help` says of every verb: examples that can be typed, and what the exit codes mean.
@Suite struct HelpTests {
  struct Verb: CustomTestStringConvertible {
    /// What it is called by, "rerankctl" first.
    let words: [String]
    let command: any ParsableCommand.Type
    let help: String
    /// The command lines in its help, each its words.
    let examples: [[String]]

    var isGroup: Bool { !command.configuration.subcommands.isEmpty }
    var testDescription: String { words.joined(separator: " ") }

    init(words: [String], command: any ParsableCommand.Type) {
      self.words = words
      self.command = command
      help = Rerankctl.helpMessage(for: command, columns: 1_000)
      examples = help.split(separator: "\n").flatMap(Self.commandLines)
        .filter { $0.first == "rerankctl" }
    }

    /// The commands of a line, as a shell has them; what stands beside one says what it does.
    private static func commandLines(_ line: Substring) -> [[String]] {
      var commands: [[String]] = [[]]
      var word: String?
      var quote: Character?
      var spaces = 0
      for character in line.drop(while: { $0 == " " }) {
        if let open = quote {
          if character == open { quote = nil } else { word?.append(character) }
        } else if character == " " {
          spaces += 1
          if spaces > 1 { break }
          if let ended = word { commands[commands.count - 1].append(ended) }
          word = nil
        } else if character == ">" {
          break
        } else if ["|", "&", ";"].contains(character) {
          if commands.last != [] { commands.append([]) }
        } else if ["'", "\""].contains(character) {
          (quote, word, spaces) = (character, word ?? "", 0)
        } else {
          (word, spaces) = ((word ?? "") + String(character), 0)
        }
      }
      if let word { commands[commands.count - 1].append(word) }
      return commands
    }
  }

  static let verbs = verbs(Rerankctl.self, below: [])

  private static func verbs(
    _ command: any ParsableCommand.Type, below words: [String]
  ) -> [Verb] {
    let own = words + [command._commandName]
    return [Verb(words: own, command: command)]
      + command.configuration.subcommands.flatMap { verbs($0, below: own) }
  }

  @Test(arguments: verbs) func everyVerbSaysWhatItDoesAndHasAnExample(_ verb: Verb) {
    #expect(verb.command.configuration.abstract.hasSuffix("."))
    #expect(verb.examples.contains { $0.starts(with: verb.words) })
  }

  /// An option that was renamed, or a value that is not taken any more, is found in the help as well.
  @Test(arguments: verbs) func everyExampleIsACommandThatIsTaken(_ verb: Verb) {
    let rest = verb.examples.first.map { Array($0.dropFirst(verb.words.count)) } ?? []
    for example in verb.examples {
      // An ellipsis by itself stands for what the first example has.
      let arguments = example.dropFirst().flatMap { $0 == "…" ? rest : [$0] }
      do {
        let parsed = try Rerankctl.parseAsRoot(arguments)
        guard !verb.isGroup, example.starts(with: verb.words) else { continue }
        #expect(ObjectIdentifier(type(of: parsed)) == ObjectIdentifier(verb.command))
      } catch {
        Issue.record("\(example): \(Rerankctl.message(for: error))")
      }
    }
  }

  @Test func everyVerbThatPrintsJSONHasItsDefinitionInTheSchema() throws {
    let schema = try JSONSchema(
      path: PackageFolder.url.appending(path: "protocol/schemas/rerankctl.schema.json").path)
    let printing = Self.verbs.filter { !$0.isGroup && $0.help.contains("--output <output>") }
    #expect(printing.count > 30)
    let names = Set(printing.map { $0.words.dropFirst().joined(separator: "-") })
    #expect(names.subtracting(schema.names) == [])
  }

  // MARK: Exit codes

  /// The numbers of the help's paragraph on exit codes.
  private static var documented: Set<Int32> {
    let help = Rerankctl.helpMessage(columns: 1_000)
    let lines = help.split(separator: "\n")
    guard let start = lines.firstIndex(where: { $0.contains("Exit codes:") }) else { return [] }
    let paragraph = lines[start...].prefix(2).joined(separator: " ")
    return Set(paragraph.matches(of: #/[:;] +(\d+) /#).compactMap { Int32($0.output.1) })
  }

  @Test func theHelpNamesEveryExitCodeAndNoOther() {
    #expect(
      Self.documented == [
        ExitCode.success.rawValue, CommandFailure.unsuccessful.rawValue,
        ExitCode.validationFailure.rawValue, CommandFailure.wrongInput.rawValue,
        CommandFailure.queueAway.rawValue, CommandFailure.ended(by: 0).rawValue,
      ])
  }

  @Test(arguments: StatusCode.allCases.filter { $0 != .ok })
  func whatAQueueAnswersDecidesTheExitCode(_ code: StatusCode) async {
    let wanted: ExitCode =
      switch code {
      case .unavailable, .deadlineExceeded: ExitCode(69)
      case .invalidArgument, .notFound: ExitCode(65)
      default: ExitCode(1)
      }
    let end = await #expect(throws: ExitCode.self) {
      try await CommandFailure.reporting { throw CallError(code, "as the test wants") }
    }
    #expect(end == wanted)
    #expect(Self.documented.contains(wanted.rawValue))
  }

  /// What is wrong with a command line or with what it names, and what nobody foresaw.
  @Test func otherFailuresHaveTheirExitCodesToo() async {
    struct Unforeseen: Error {}
    let cases: [(any Error, ExitCode)] = [
      (InputError("no such file"), ExitCode(65)), (Unforeseen(), ExitCode(1)),
      (CommandFailure.ended(by: 15), ExitCode(143)),
    ]
    for (error, wanted) in cases {
      let end = await #expect(throws: ExitCode.self) {
        try await CommandFailure.reporting { throw error }
      }
      #expect(end == wanted)
    }
    #expect(throws: (any Error).self) { try Rerankctl.parseAsRoot(["status", "--output", "xml"]) }
    #expect(Rerankctl.exitCode(for: ValidationError("wrong usage")) == ExitCode(64))
  }
}
