/// A model that was pulled, as it is printed.
struct PulledModelView: Encodable {
  var model: String
  var revision: String
  /// What the revision was.
  var commit: String
  var folder: String
  var files: [PulledFileView]
  var bytes: UInt64
  var downloadedBytes: UInt64
  var durationMs: Int64

  func text(palette: Palette) -> String {
    var table = TextTable([("FILE", .left), ("SIZE", .right), ("STATE", .left)])
    for file in files {
      table.append([
        .init(file.name), .init(Quantity.bytes(file.bytes)),
        .init(file.state.rawValue, file.state == .present ? .faint : .good),
      ])
    }
    let rate = Double(downloadedBytes) / max(0.001, Double(durationMs) / 1_000)
    let how =
      downloadedBytes == 0
      ? "everything was there"
      : "\(Quantity.bytes(downloadedBytes)) at \(Quantity.bytes(UInt64(rate)))/s"
    return table.text(palette: palette) + "\(model) at \(commit.prefix(12)): \(how)\n"
  }
}

/// A file of a pulled model, as it is printed.
struct PulledFileView: Encodable {
  enum State: String, Encodable {
    case downloaded
    /// Gone on with, where an earlier pull had stopped.
    case resumed
    /// There already, and whole.
    case present
  }

  var name: String
  var bytes: UInt64
  var downloadedBytes: UInt64
  var state: State
  /// Of the content, for files that Git LFS keeps.
  var sha256: String?
  /// Git's object id, for the others.
  var gitOid: String?

  init(_ file: HubFile, _ state: State, downloaded: UInt64) {
    name = file.name
    bytes = file.bytes
    downloadedBytes = downloaded
    self.state = state
    switch file.digest {
    case .sha256(let digest): sha256 = digest
    case .gitBlob(let digest): gitOid = digest
    }
  }
}
