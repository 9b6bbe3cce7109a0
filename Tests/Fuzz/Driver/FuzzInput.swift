import Foundation
import FuzzTargets

/// What libFuzzer calls, with bytes of its choice.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  chosenTarget.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

private let chosenTarget: FuzzTarget = {
  let name = ProcessInfo.processInfo.environment["RERANKD_FUZZ_TARGET"] ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    FileHandle.standardError.write(
      Data("RERANKD_FUZZ_TARGET is \"\(name)\"; it is one of: \(names)\n".utf8))
    exit(64)
  }
  return target
}()
