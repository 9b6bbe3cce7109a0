import CFuzzer
import Foundation
import FuzzTargets

// libFuzzer's loop, over the target that RERANKD_FUZZ_TARGET names.

let name = ProcessInfo.processInfo.environment["RERANKD_FUZZ_TARGET"] ?? ""
guard let target = FuzzTarget(rawValue: name) else {
  let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
  FileHandle.standardError.write(
    Data("RERANKD_FUZZ_TARGET is \"\(name)\"; it is one of: \(names)\n".utf8))
  exit(64)
}
/// The callback is a C function, which can hold nothing of its own.
nonisolated(unsafe) let chosenTarget = target

var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
exit(
  LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
    chosenTarget.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
  })
