import Foundation
import RerankdProtocol

/// What became of submitted lines: a moving count on a terminal, a line each for programs.
struct SubmitProgress {
  private let printer: Printer
  private let started = ContinuousClock.now
  private var shown = ContinuousClock.now
  private let showsCount = isatty(STDERR_FILENO) == 1
  private var rows: [SubmittedView] = []
  private(set) var accepted = 0
  private(set) var duplicates = 0
  private(set) var refused = 0

  init(printer: Printer) {
    self.printer = printer
  }

  mutating func add(_ outcome: SubmitOutcome, line: Int, file: String) throws {
    let view = SubmittedView(outcome, line: line)
    if let error = view.error {
      refused += 1
      CommandFailure.say("\(file):\(line): \(error.code): \(error.message)")
    } else if outcome.duplicate {
      duplicates += 1
    } else {
      accepted += 1
    }
    switch printer.format {
    case .table: break
    case .json: rows.append(view)
    case .jsonl: printer.write(try Printer.json(view, pretty: false) + "\n")
    }
    showCount()
  }

  func finish() throws {
    if showsCount { write("\r\u{1B}[K") }
    switch printer.format {
    case .table: printer.write(summary + "\n")
    case .json: printer.write(try Printer.json(rows, pretty: true) + "\n")
    case .jsonl: break
    }
  }

  private var summary: String {
    let seconds = max(started.duration(to: .now) / .seconds(1), 0.001)
    let rate = Int(Double(accepted + duplicates + refused) / seconds)
    return "\(accepted) submitted, \(duplicates) known already, \(refused) refused, \(rate)/s"
  }

  /// At most ten times a second, so that printing costs nothing.
  private mutating func showCount() {
    guard showsCount, shown.duration(to: .now) >= .milliseconds(100) else { return }
    shown = .now
    write("\r\u{1B}[K\(summary)")
  }

  private func write(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}

/// One submitted line, as it is printed.
struct SubmittedView: Encodable {
  var line: Int
  var jobId: String?
  var duplicate: Bool?
  var error: ErrorView?

  init(_ outcome: SubmitOutcome, line: Int) {
    self.line = line
    if outcome.hasError {
      error = ErrorView(outcome.error)
    } else {
      jobId = JobID(rawValue: outcome.jobID).description
      duplicate = outcome.duplicate
    }
  }
}
