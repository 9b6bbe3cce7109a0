import Foundation

/// A folder, and the file system that it lies on.
struct Volume: Equatable {
  enum Kind: Equatable {
    case local
    /// On another machine, by its type.
    case network(String)
    /// By a program, whose ways are unknown.
    case foreign(String)
    /// Gone when the machine stops.
    case memory
    /// Gone with its container.
    case container
  }

  var folder: String
  var exists: Bool
  var isWritable: Bool
  var kind: Kind
  var freeBytes: UInt64

  init(
    folder: String, exists: Bool = true, isWritable: Bool = true, kind: Kind = .local,
    freeBytes: UInt64
  ) {
    self.folder = folder
    self.exists = exists
    self.isWritable = isWritable
    self.kind = kind
    self.freeBytes = freeBytes
  }

  /// Reads the folder that a file is in, or is to be made in.
  init(ofFile path: String) {
    // A link's own folder does not matter.
    let folder = URL(filePath: path).resolvingSymlinksInPath().deletingLastPathComponent().path
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
    var status = statvfs()
    let isRead = statvfs(folder, &status) == 0
    let mounts = (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? ""
    self.init(
      folder: folder, exists: exists && isFolder.boolValue,
      isWritable: access(folder, W_OK | X_OK) == 0,
      kind: Self.fileSystem(of: folder, mounts: mounts).map(Self.kind) ?? .local,
      freeBytes: isRead ? UInt64(status.f_bavail) * UInt64(status.f_frsize) : 0)
  }

  /// The type of the file system that a folder lies on: "ext4", "fuse.sshfs".
  ///
  /// - Parameter mounts: as proc_pid_mountinfo(5) has them: the fifth field is the mount point, and
  ///   the type follows a field that is a dash.
  static func fileSystem(of folder: String, mounts: String) -> String? {
    var found: (point: String, type: String)?
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 5, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count
      else { continue }
      let point = unescaped(fields[4])
      let isAbove = point == "/" || folder == point || folder.hasPrefix(point + "/")
      // Of two at one point the later one covers the other.
      if isAbove, point.utf8.count >= found?.point.utf8.count ?? 0 {
        found = (point, String(fields[dash + 1]))
      }
    }
    return found?.type
  }

  /// Blanks and the like stand there as a backslash and three octal digits.
  private static func unescaped(_ text: Substring) -> String {
    String(text).replacing(/\\([0-7]{3})/) { match in
      UInt8(match.output.1, radix: 8).map { String(UnicodeScalar($0)) } ?? ""
    }
  }

  static func kind(of type: String) -> Kind {
    switch type {
    case "nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "lustre", "gfs2", "ocfs2", "beegfs", "gpfs":
      .network(type)
    case "9p", "virtiofs", "vboxsf": .foreign(type)
    case "tmpfs", "ramfs", "devtmpfs": .memory
    case "overlay", "aufs": .container
    default: type.hasPrefix("fuse") ? .foreign(type) : .local
    }
  }
}
