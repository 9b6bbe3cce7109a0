import Dispatch
import Glibc

/// Ctrl-C and SIGTERM end what was started and remove the data before they end the benchmark.
final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init(removing folder: DataFolder) {
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        ServerProcess.killAll()
        folder.remove()
        exit(128 + number)
      }
      source.activate()
      return source
    }
  }

  func cancel() {
    sources.forEach { $0.cancel() }
  }
}
