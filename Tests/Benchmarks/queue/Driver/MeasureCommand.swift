import ArgumentParser
import Foundation
import Glibc

struct MeasureCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure", abstract: "Measures rerankd, Redis and the disk in one run.")

  @Option(help: "Also write the figures to this file.")
  var json: String?

  @Option(help: "Seconds that each peer is measured at each number in flight.")
  var seconds = 60

  @Flag(help: "Six seconds each: whether everything works, not how fast.")
  var quick = false

  @Option(help: "Jobs in flight, comma-separated.")
  var inFlight = "1,8,512"

  @Option(help: "Bytes of a job's payload.")
  var payloadBytes = 1_024

  @Option(help: "Ended jobs that the ledger keeps.")
  var retentionJobs = 5_000

  @Flag(help: "Instead, run many jobs through rerankd alone and watch what it uses.")
  var soak = false

  @Option(help: "Jobs of the soak.")
  var soakJobs = 1_000_000

  func validate() throws {
    guard seconds >= 2 else { throw ValidationError("--seconds: give 2 or more") }
    guard (256...65_536).contains(payloadBytes) else {
      throw ValidationError("--payload-bytes: give 256 to 65536")
    }
    guard soakJobs >= Soak.settledJobs + 2 * Soak.sampleJobs else {
      throw ValidationError("--soak-jobs: give 400000 or more")
    }
  }

  func run() async throws {
    let folder = try DataFolder(below: NSTemporaryDirectory())
    let interruption = Interruption(removing: folder)
    defer {
      interruption.cancel()
      ServerProcess.killAll()
      folder.remove()
    }
    let levels = try inFlight.split(separator: ",").map {
      try LoadShape(inFlight: Int($0) ?? 0, payloadBytes: payloadBytes)
    }
    let seconds = quick ? 6 : seconds
    var report = Report(
      machine: .current(), redisVersion: nil, fileSystem: folder.fileSystem,
      secondsEach: seconds, payloadBytes: payloadBytes, retentionJobs: retentionJobs)

    let rerankd = try await RerankdServer.start(in: folder, retentionJobs: retentionJobs)
    if soak {
      let shape = try LoadShape(inFlight: Soak.inFlight, payloadBytes: payloadBytes)
      report.soak = try await Soak(jobs: soakJobs).run(RerankdPeer(server: rerankd), shape)
    } else {
      report.redisVersion = try await RedisServer.version(in: folder)
      let redis = try await RedisServer.start(in: folder)
      let comparison = Comparison(
        levels: levels, seconds: seconds, warmUpSeconds: quick ? 1 : 5, probeSeconds: 1,
        folder: folder)
      try await comparison.run(
        outer: RedisLane.Arrangement.allCases.map { RedisPeer(server: redis, arrangement: $0) },
        inner: [RerankdPeer(server: rerankd)], into: &report)
      try await redis.process.end()
    }
    report.ledger = try await rerankd.ledgerFigures()
    try await rerankd.end()
    print(report.text)
    if let json { try report.write(to: json) }
  }
}
