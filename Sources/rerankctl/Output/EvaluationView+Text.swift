/// The evaluation for people: a row of means a ranker, the differences to the baseline below, and
/// what has to be known about both.
extension EvaluationView {
  var text: String {
    var text = "queries     \(queries)\ncandidates  \(pairs) in all, from \(candidates)\n\n"
    text += meanTable.text(widthMax: Printer.terminalWidth)
    if rankers.count > 1 {
      text += "\nDifference to \(shown(baseline)) and its \(Int(bootstrap.confidence * 100)) % "
      text += "interval (paired bootstrap, \(bootstrap.resamples) resamples):\n\n"
      text += differenceTable.text(widthMax: Printer.terminalWidth)
    }
    if !notes.isEmpty { text += "\n" + notes.map { $0 + "\n" }.joined() }
    return text
  }

  private var meanTable: TextTable {
    let metrics = rankers.first?.metrics.map(\.metric) ?? []
    let hasCalibration = rankers.contains { $0.calibration != nil }
    let titles =
      metrics.map { $0.uppercased() } + (hasCalibration ? ["ECE", "BRIER"] : []) + ["SECONDS"]
    var table = TextTable([("RANKER", .left)] + titles.map { ($0, .right) })
    for ranker in rankers {
      var cells = [shown(ranker.name)] + ranker.metrics.map { Self.fixed($0.mean) }
      if hasCalibration {
        cells += [
          ranker.calibration.map { Self.fixed($0.expectedCalibrationError) } ?? "-",
          ranker.calibration.map { Self.fixed($0.brierScore) } ?? "-",
        ]
      }
      let tenths = Int((ranker.seconds * 10).rounded())
      table.append(cells + ["\(tenths / 10).\(tenths % 10)"])
    }
    return table
  }

  private var differenceTable: TextTable {
    var table = TextTable([
      ("RANKER", .left), ("METRIC", .left), ("DIFFERENCE", .right), ("LOW", .right),
      ("HIGH", .right), ("VERDICT", .left),
    ])
    for ranker in rankers {
      for row in ranker.differences ?? [] {
        table.append(
          [shown(ranker.name), row.metric] + [row.mean, row.low, row.high].map(Self.signed)
            + [row.verdict])
      }
    }
    return table
  }

  private var notes: [String] {
    var notes: [String] = []
    if queriesWithoutJudgements + queriesWithoutCandidates > 0 {
      notes.append(
        "left out: \(queriesWithoutJudgements) queries without judgements, "
          + "\(queriesWithoutCandidates) without candidates")
    }
    for ranker in rankers {
      if ranker.shortenedDocuments > 0 {
        notes.append(
          "\(shown(ranker.name)): candidates that were shortened to fit the model: "
            + "\(ranker.shortenedDocuments)")
      }
      if ranker.unrankedDocuments > 0 {
        notes.append(
          "\(shown(ranker.name)): candidates that were not ranked, so not retrieved: "
            + "\(ranker.unrankedDocuments)")
      }
    }
    return notes
  }

  /// "folder:/srv/models/mine" as "folder:…/mine", where that says as much: paths make wide tables.
  private func shown(_ name: String) -> String {
    let short = Self.withoutFolders(name)
    return rankers.count { Self.withoutFolders($0.name) == short } == 1 ? short : name
  }

  private static func withoutFolders(_ name: String) -> String {
    guard let colon = name.firstIndex(of: ":") else { return name }
    let folders = name[colon...].split(separator: "/", omittingEmptySubsequences: false)
    guard folders.count > 2, let last = folders.last(where: { !$0.isEmpty }) else { return name }
    return "\(name[...colon])…/\(last)"
  }

  private static func fixed(_ value: Double) -> String { OutcomeView.fixed(Float(value)) }

  private static func signed(_ value: Double) -> String {
    let text = fixed(value)
    return value > 0 ? "+" + text : text
  }
}
