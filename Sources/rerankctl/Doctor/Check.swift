/// What was looked at, what was found, and what mends it.
///
/// A check is a value that is made of what was read before: reading (``Volume``, ``ListenAddress``,
/// ``Examination``) and judging (the files `Check+….swift`) are apart.
struct Check: Encodable, Equatable {
  /// What was looked at: "disk", "port".
  var name: String
  var state: CheckState
  /// What was found.
  var what: String
  /// What to do about it; nil where nothing has to be done.
  var mend: String?

  init(_ name: String, _ state: CheckState, _ what: String, mend: String? = nil) {
    self.name = name
    self.state = state
    self.what = what
    self.mend = mend
  }

  static func table(_ checks: [Check]) -> TextTable {
    var table = TextTable([("CHECK", .left), ("STATE", .left), ("WHAT", .left)])
    for check in checks {
      table.append([
        .init(check.name), .init(check.state.rawValue, check.state.style), .init(check.what),
      ])
      if let mend = check.mend { table.append([.init(""), .init(""), .init("→ \(mend)", .faint)]) }
    }
    return table
  }
}
