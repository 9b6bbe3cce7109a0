/// What came out of one check.
enum CheckState: String, Encodable {
  case ok
  /// It works, but hardly as it is meant.
  case warning
  case failed

  var style: TextStyle {
    switch self {
    case .ok: .good
    case .warning: .waiting
    case .failed: .bad
    }
  }
}
