import EmbeddedEngine
import Scoring

struct Options {
  var folder: String?
  var precision = PrecisionSetting.auto
  var path: KernelPath?
  var lanes = 1
  var computesWholeLastLayer = false

  init(_ arguments: some Sequence<String>) throws {
    func invalid(_ what: String) -> EngineError {
      EngineError(code: .invalidArgument, message: what, isRetryable: false)
    }
    var rest = arguments.makeIterator()
    while let option = rest.next() {
      if option == "--whole-last-layer" {
        computesWholeLastLayer = true
        continue
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
      case "--lanes": lanes = Int(value) ?? 1
      default: throw invalid("there is no option \(option)")
      }
    }
  }
}
