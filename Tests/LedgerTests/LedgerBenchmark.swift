import Dispatch
import Foundation
import RerankdProtocol
import TestSupport
import Testing

@testable import Ledger

/// What a job's life costs, by how many jobs share a commit. Run it in release:
///
///     RERANKD_LEDGER_BENCHMARK=200000 \
///       swift test -c release -Xswiftc -enable-testing --filter LedgerBenchmark
///
/// The number is how many jobs each measurement takes. A life is four batches, as the queue makes
/// them: submitted with 1 KiB, leased, succeeded with 1 KiB of result, acknowledged; retention
/// removes as many jobs as come in. The processor's time is that of the whole process, the making
/// of the records included.
@Suite(
  .serialized,
  .enabled(
    if: ProcessInfo.processInfo.environment["RERANKD_LEDGER_BENCHMARK"] != nil,
    "set RERANKD_LEDGER_BENCHMARK to a number of jobs"))
struct LedgerBenchmark {
  @Test(arguments: [1, 10, 100, 500])
  func costOfALife(jobsPerCommit: Int) async throws {
    let variable = ProcessInfo.processInfo.environment["RERANKD_LEDGER_BENCHMARK"] ?? ""
    let wanted = try #require(Int(variable), "RERANKD_LEDGER_BENCHMARK must be a number of jobs")
    let rounds = max(1, wanted / jobsPerCommit / (jobsPerCommit == 1 ? 20 : 1))
    var fixture = try LedgerFixture()
    fixture.configuration.retention.intervalMs = LedgerRetention().intervalMs
    fixture.configuration.retention.countTerminalMax = rounds * jobsPerCommit / 4
    let body = [UInt8](repeating: 0x5A, count: 1_024)
    try await fixture.withLedger { ledger, _ in
      let cpuStart = Self.processNanoseconds()
      let start = DispatchTime.now().uptimeNanoseconds
      for round in 0..<rounds {
        let first = UInt64(round * jobsPerCommit + 1)
        let sequences = first..<first + UInt64(jobsPerCommit)
        await ledger.commit(sequences.flatMap { Life.submitted($0, body: body) })
        await ledger.commit(sequences.flatMap { Life.leased($0) })
        await ledger.commit(sequences.flatMap { Life.succeeded($0, result: body) })
        await ledger.commit(sequences.flatMap { Life.acknowledged($0) })
      }
      let jobs = Double(rounds * jobsPerCommit)
      let cpu = Double(Self.processNanoseconds() - cpuStart) / 1_000 / jobs
      let wall = Double(DispatchTime.now().uptimeNanoseconds - start) / 1_000 / jobs
      let status = ledger.status()
      let line = String(
        format: "%3d jobs a commit: %6.1f µs of processor and %7.1f µs of time a life; "
          + "commit p50 %llu µs, p99 %llu µs; file %llu MiB, WAL %llu MiB",
        jobsPerCommit, cpu, wall, status.commitP50Microseconds, status.commitP99Microseconds,
        status.fileBytes >> 20, status.walBytes >> 20)
      print(line)
      try await #expect(ledger.job(UInt64(jobs)) != nil)
    }
  }

  private static func processNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
