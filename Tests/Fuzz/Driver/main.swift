import CFuzzer
import Foundation

// libFuzzer's loop, with its own options, over the target that RERANKD_FUZZ_TARGET names. (SwiftPM
// makes a main function of this file, which goes before libFuzzer's.)
var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
exit(LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in fuzzOneInput(bytes, count) })
