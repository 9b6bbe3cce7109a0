import ArgumentParser
import Foundation

/// How a command prints: for people, or for programs.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table
  /// One JSON document.
  case json
  /// One JSON object a line, for lists.
  case jsonl
}

/// What every command that prints takes.
struct OutputOptions: ParsableArguments {
  @Option(name: [.short, .long], help: "How to print: table, json or jsonl.")
  var output = OutputFormat.table

  @Option(
    help: """
      Colours: auto (on a terminal, unless the environment has NO_COLOR), always or never.
      """)
  var color = ColorChoice.auto

  var printer: Printer {
    Printer(
      format: output, palette: Palette(color, isTerminal: isatty(STDOUT_FILENO) == 1))
  }
}

/// Writes to standard output; every command prints through it.
struct Printer {
  var format: OutputFormat
  var palette = Palette.plain

  /// Prints a list: a table of its rows, a JSON array, or a line each.
  func list<Row: Encodable>(_ rows: [Row], table: () -> TextTable) throws {
    switch format {
    case .table: write(table().text(widthMax: Self.terminalWidth, palette: palette))
    case .json: write(try Self.json(rows, pretty: true) + "\n")
    case .jsonl: for row in rows { write(try Self.json(row, pretty: false) + "\n") }
    }
  }

  /// Prints one thing: a text for people, or a JSON object.
  func object(_ value: some Encodable, text: () -> String) throws {
    switch format {
    case .table: write(text())
    case .json: write(try Self.json(value, pretty: true) + "\n")
    case .jsonl: write(try Self.json(value, pretty: false) + "\n")
    }
  }

  func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }

  /// Columns of the terminal; nil where standard output is none, so that nothing is cut there.
  static var terminalWidth: Int? {
    TerminalSize(of: STDOUT_FILENO)?.columns
  }

  static func json(_ value: some Encodable, pretty: Bool) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
