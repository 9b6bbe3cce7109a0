import AsyncHTTPClient
import EmbeddedEngine
import Foundation
import NIOCore

/// Brings a model of the hub into a folder: first what tells whether the engine can compute it, then
/// its weights. What is there already, and whole, is not fetched again.
struct ModelPull {
  let client: HubClient
  let folder: URL
  var tokenizerOnly = false
  private var progress = CountProgress(bytesOf: 0)
  private var bytesDone: UInt64 = 0
  /// That came from the hub, those of tries that were cut off as well.
  private var bytesReceived: UInt64 = 0
  private var bytesTotal: UInt64 = 0
  private var views: [PulledFileView] = []

  /// A disk is not filled to its last block.
  private static let freeBytesReserve: UInt64 = 64 << 20

  init(client: HubClient, folder: URL, tokenizerOnly: Bool) {
    self.client = client
    self.folder = folder
    self.tokenizerOnly = tokenizerOnly
  }

  mutating func run() async throws -> PulledModelView {
    defer { progress.finish() }
    let start = ContinuousClock.now
    let client = client
    let commit = try await asking { try await client.commit() }
    let selection = HubSelection(
      try await files(of: commit), of: client.model, client.configuration)
    let small = try selection.smallFiles(tokenizerOnly: tokenizerOnly)
    try makeFolder()
    try await fetch(small, of: commit)
    if !tokenizerOnly {
      try checkArchitecture()
      let hasIndex = small.contains { $0.name == HubSelection.indexName }
      let index = hasIndex ? try Data(contentsOf: path(HubSelection.indexName)) : nil
      try await fetch(try selection.weights(index: index), of: commit)
    }
    return PulledModelView(
      model: "\(client.model)", revision: client.revision, commit: commit, folder: folder.path,
      files: views, bytes: views.reduce(0) { $0 + $1.bytes },
      downloadedBytes: views.reduce(0) { $0 + $1.downloadedBytes },
      durationMs: Int64(start.duration(to: .now) / .milliseconds(1)))
  }

  // MARK: What there is

  private mutating func files(of commit: String) async throws -> [HubTreeEntry] {
    var all: [HubTreeEntry] = []
    let client = client
    var page: URL?
    for _ in 0..<client.configuration.listingPagesMax {
      let wanted = page
      let (entries, next) = try await asking { try await client.files(of: commit, page: wanted) }
      all += entries
      guard let next else { return all }
      page = next
    }
    throw HubError(
      .unexpected,
      "\(client.model) has more than \(client.configuration.listingPagesMax) pages of files")
  }

  /// Before gigabytes are fetched in vain.
  private func checkArchitecture() throws {
    do {
      _ = try ModelFiles.window(ofFolder: folder)
    } catch {
      throw HubError(
        .unusable,
        "\(client.model) is none that the embedded engine computes: \(error). "
          + "Its tokenizer alone comes by --tokenizer-only")
    }
  }

  private func makeFolder() throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw HubError(.file, "\(folder.path) cannot be made: \(error.localizedDescription)")
    }
  }

  private func path(_ name: String) -> URL { folder.appending(path: name) }

  // MARK: Fetching

  private mutating func fetch(_ files: [HubFile], of commit: String) async throws {
    var missing: [HubFile] = []
    for file in files {
      if try PartFile.isThere(file, in: folder) {
        views.append(PulledFileView(file, .present, downloaded: 0))
      } else {
        missing.append(file)
      }
    }
    let parts = try missing.map { (file: $0, part: try PartFile(for: $0, in: folder)) }
    let wanted = missing.reduce(UInt64(0)) { $0 + $1.bytes }
    let there = parts.reduce(UInt64(0)) { $0 + $1.part.bytes }
    try checkRoom(wanted - there)
    (bytesDone, bytesTotal) = (there, wanted)
    progress.finish()
    progress = CountProgress(bytesOf: wanted, alreadyThere: there)
    for (file, part) in parts {
      let resumed = part.bytes
      let downloaded = try await fetch(file, into: part, of: commit)
      views.append(
        PulledFileView(file, resumed > 0 ? .resumed : .downloaded, downloaded: downloaded))
    }
  }

  private func checkRoom(_ needed: UInt64) throws {
    var status = statvfs()
    guard statvfs(folder.path, &status) == 0 else { return }
    let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
    guard free >= needed.addingReportingOverflow(Self.freeBytesReserve).partialValue else {
      throw HubError(
        .full,
        "\(folder.path) has room for \(Quantity.bytes(free)), and \(Quantity.bytes(needed)) are "
          + "missing: free some, or name another place by --to")
    }
  }

  /// - Returns: how many bytes came.
  private mutating func fetch(
    _ file: HubFile, into part: PartFile, of commit: String
  ) async throws -> UInt64 {
    let receivedBefore = bytesReceived
    // What an earlier try left may be spoilt; what came in one piece may not.
    var mayRestart = part.bytes > 0
    while true {
      try await fillUp(part, with: file, of: commit)
      if try part.isSound() { break }
      guard mayRestart else {
        throw HubError(
          .corrupt,
          "\(file.name) has not the checksum that the hub lists: try again; if it stays so, a proxy or "
            + "mirror on the way changes it")
      }
      mayRestart = false
      bytesDone -= file.bytes
    }
    try part.finish()
    return bytesReceived - receivedBefore
  }

  private mutating func fillUp(
    _ part: PartFile, with file: HubFile, of commit: String
  ) async throws {
    var retries = HubRetries(client.configuration)
    while part.bytes < file.bytes {
      let before = part.bytes
      do {
        try await transfer(file, into: part, of: commit)
        guard part.bytes < file.bytes else { break }
        throw HubError(.unavailable, "\(file.name) ended at \(part.bytes) of \(file.bytes) bytes")
      } catch let error as HubError {
        if part.bytes > before { retries.progressed() }
        try await wait(after: error, &retries)
      }
    }
  }

  private mutating func transfer(
    _ file: HubFile, into part: PartFile, of commit: String
  ) async throws {
    let (start, body) = try await client.content(of: file, commit: commit, from: part.bytes)
    if start != part.bytes {
      bytesDone -= part.bytes
      try part.restart()
    }
    do {
      for try await chunk in body {
        try part.append(Data(chunk.readableBytesView))
        bytesReceived += UInt64(chunk.readableBytes)
        bytesDone += UInt64(chunk.readableBytes)
        progress.add(chunk.readableBytes, share: share, note: file.name)
      }
    } catch let error as HubError {
      throw error
    } catch {
      throw HubClient.unreachable(client.configuration.host, error)
    }
  }

  private var share: Double { Double(bytesDone) / Double(max(1, bytesTotal)) }

  // MARK: Patience

  private mutating func asking<Value>(_ question: () async throws -> Value) async throws -> Value {
    var retries = HubRetries(client.configuration)
    while true {
      do {
        return try await question()
      } catch let error as HubError {
        try await wait(after: error, &retries)
      }
    }
  }

  private mutating func wait(after error: HubError, _ retries: inout HubRetries) async throws {
    guard let pause = retries.pause(after: error, jitter: .random(in: 0...1)) else { throw error }
    progress.add(0, share: share, note: "\(error); again soon", isUrgent: true)
    try await Task.sleep(for: pause)
  }
}
