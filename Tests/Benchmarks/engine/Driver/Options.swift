import EmbeddedEngine

struct Options {
  var folder: String?
  var precision = PrecisionSetting.auto
  var path: KernelPath?
  var lanes = 1
  var computesWholeLastLayer = false

  static let usage = """
    engine-bench [--model FOLDER] [--precision P] [--path P] [--lanes N] [--whole-last-layer]

    Loads a model, the one inside the binary without --model, says so on a line of JSON, and then
    answers each line of its input, the name of a workload: \(Workload.names.joined(separator: ", ")).
      --precision  \(PrecisionSetting.allCases.map(\.rawValue).joined(separator: ", "))
      --path       \(KernelPath.allCases.map(\.rawValue).joined(separator: ", "))
    """

  /// What was wrong with the arguments.
  struct Mistake: Error, CustomStringConvertible {
    var description: String
  }

  /// nil if help is asked for.
  ///
  /// - Throws: ``Mistake``.
  init?(_ arguments: some Sequence<String>) throws {
    func invalid(_ what: String) -> Mistake {
      Mistake(description: "\(what); engine-bench --help says what works")
    }
    var rest = arguments.makeIterator()
    while let option = rest.next() {
      switch option {
      case "--help", "-h": return nil
      case "--whole-last-layer":
        computesWholeLastLayer = true
        continue
      case "--model", "--precision", "--path", "--lanes": break
      default: throw invalid("there is no option \(option)")
      }
      guard let value = rest.next() else { throw invalid("\(option) needs a value") }
      switch option {
      case "--model": folder = value
      case "--precision":
        guard let named = PrecisionSetting(rawValue: value) else {
          throw invalid("there is no precision \(value)")
        }
        precision = named
      case "--path":
        guard let named = KernelPath(rawValue: value) else {
          throw invalid("there is no kernel path \(value)")
        }
        path = named
      default:
        guard let count = Int(value), count > 0 else {
          throw invalid("--lanes is \(value); a number from 1 on works")
        }
        lanes = count
      }
    }
  }
}
