import ArgumentParser
import Foundation

/// Whether output is coloured.
enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
  /// On a terminal, unless NO_COLOR says otherwise or the terminal can do no more than text.
  case auto
  case always
  case never
}

/// How a piece of text stands out: by what it means, so that one meaning has one look everywhere.
enum TextStyle: String, CaseIterable {
  case heading = "1"
  /// What matters less than the rest.
  case faint = "2"
  case good = "32"
  case busy = "36"
  case waiting = "33"
  case bad = "31"
  /// What somebody has to look at.
  case alarm = "1;37;41"
}

/// Writes styles as ANSI sequences, or leaves them out.
struct Palette {
  var isColored: Bool

  static let plain = Palette(isColored: false)

  init(isColored: Bool) {
    self.isColored = isColored
  }

  /// - Parameter isTerminal: whether what is written goes to one.
  init(
    _ choice: ColorChoice, isTerminal: Bool,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) {
    switch choice {
    case .always: isColored = true
    case .never: isColored = false
    case .auto:
      // As no-color.org has it: any value but an empty one turns colours off.
      let isUnwanted = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
      isColored = isTerminal && !isUnwanted && environment["TERM"] != "dumb"
    }
  }

  func paint(_ text: String, _ style: TextStyle?) -> String {
    guard isColored, let style, !text.isEmpty else { return text }
    return "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m"
  }
}
