import Foundation
import ServiceLifecycle

/// Ends when the supervisor does: its end of the pipe that is this process's standard input closes.
struct SupervisorWatch: Service {
  func run() async throws {
    let (ends, continuation) = AsyncStream.makeStream(of: Void.self)
    // A thread of its own, since the read blocks for as long as the supervisor lives.
    Thread.detachNewThread {
      while let data = try? FileHandle.standardInput.read(upToCount: 4096), !data.isEmpty {}
      continuation.finish()
    }
    for await _ in ends.cancelOnGracefulShutdown() {}
  }
}
