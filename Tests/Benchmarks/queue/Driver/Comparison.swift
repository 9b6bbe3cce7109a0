import Foundation

/// Measures every peer at every number in flight, in one run: syncing drifts on shared disks, so
/// Redis is measured for half its time before ours and half after, with the raw sync in between.
struct Comparison: Sendable {
  var levels: [LoadShape]
  var seconds: Int
  var warmUpSeconds: Int
  var probeSeconds: Double
  var folder: DataFolder

  /// Adds to the report as it goes, and says on standard error where it is.
  func run(outer: [any Peer], inner: [any Peer], into report: inout Report) async throws {
    report.syncProbes.append(try probe("before"))
    for shape in levels {
      let inFlight = shape.producers * shape.depth
      var figures = try await measure(outer, shape, seconds: max(seconds / 2, 1))
      report.syncProbes.append(try probe("\(inFlight) in flight, before rerankd"))
      let ours = try await measure(inner, shape, seconds: seconds)
      report.syncProbes.append(try probe("\(inFlight) in flight, after rerankd"))
      let second = try await measure(outer.reversed(), shape, seconds: max(seconds / 2, 1))
      for (name, other) in second { figures[name]?.add(other) }
      figures.merge(ours) { $1 }
      for peer in outer + inner {
        guard let found = figures[peer.name] else { continue }
        report.measurements.append(
          Measurement(peer: peer.name, inFlight: inFlight, figures: found))
      }
    }
    report.syncProbes.append(try probe("after"))
  }

  private func probe(_ when: String) throws -> SyncProbe {
    try SyncProbe.measure(when, in: folder, seconds: probeSeconds)
  }

  private func measure(_ peers: [any Peer], _ shape: LoadShape, seconds: Int) async throws
    -> [String: PeerFigures]
  {
    var figures: [String: PeerFigures] = [:]
    for peer in peers {
      let found = try await peer.measure(shape, warmUpSeconds: warmUpSeconds, seconds: seconds)
      figures[peer.name] = found
      let line = "\(shape.producers * shape.depth) \(peer.name): \(Int(found.load.rate))/s\n"
      FileHandle.standardError.write(Data(line.utf8))
    }
    return figures
  }
}
