import Foundation
import RerankdProtocol

/// What became of submitted lines: a bar on a terminal, a line each for programs.
struct SubmitProgress {
  private let printer: Printer
  private var progress = CountProgress(noun: "job")
  private var rowsPrinted = 0
  private(set) var accepted = 0
  private(set) var duplicates = 0
  private(set) var refused = 0

  init(printer: Printer) {
    self.printer = printer
  }

  var taken: Int { accepted + duplicates }

  mutating func add(_ outcome: SubmitOutcome, line: Int, file: String) throws {
    let view = SubmittedView(outcome, line: line)
    if let error = view.error {
      refused += 1
      progress.finish()
      CommandFailure.say("\(file):\(line): \(error)")
    } else if outcome.duplicate {
      duplicates += 1
    } else {
      accepted += 1
    }
    switch printer.format {
    case .table: break
    case .json:
      // An array whose rows are not kept until its end.
      printer.write((rowsPrinted == 0 ? "[\n" : ",\n") + (try Printer.json(view, pretty: false)))
    case .jsonl: printer.write(try Printer.json(view, pretty: false) + "\n")
    }
    rowsPrinted += 1
  }

  /// - Parameters:
  ///   - share: of the input that was read, where that is known.
  ///   - note: what it waits for.
  mutating func show(_ jobs: Int, share: Double?, note: String? = nil) {
    progress.add(jobs, share: share, note: note)
  }

  /// Before an error: what was decided until then, where anything was.
  func stop() {
    if taken + refused > 0 { finish() } else { progress.finish() }
  }

  func finish() {
    progress.finish()
    switch printer.format {
    case .table: printer.write(summary + "\n")
    case .json: printer.write(rowsPrinted == 0 ? "[]\n" : "\n]\n")
    case .jsonl: break
    }
  }

  private var summary: String {
    "\(accepted) submitted, \(duplicates) known already, \(refused) refused, "
      + "\(Quantity.rate(progress.ratePerSecond)) a second"
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
