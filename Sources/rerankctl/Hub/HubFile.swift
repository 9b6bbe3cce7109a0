import Crypto
import Foundation

/// A file that the hub lists, and how it is known to be whole.
struct HubFile: Equatable {
  enum Digest: Equatable {
    /// Of the content, as Git LFS has it.
    case sha256(String)
    /// Git's object id: of "blob SIZE", a zero byte and the content.
    case gitBlob(String)
  }

  var name: String
  var bytes: UInt64
  var digest: Digest
}

extension HubFile.Digest {
  /// In lower case.
  var hexadecimal: String {
    switch self {
    case .sha256(let text), .gitBlob(let text): text
    }
  }
}

/// A digest that is fed as the bytes come.
enum HubHasher {
  case sha256(SHA256)
  /// Git's own choice: it tells files apart here, and keeps nobody out.
  case gitBlob(Insecure.SHA1)

  init(_ file: HubFile) {
    switch file.digest {
    case .sha256:
      self = .sha256(SHA256())
    case .gitBlob:
      var function = Insecure.SHA1()
      function.update(data: Data("blob \(file.bytes)\0".utf8))
      self = .gitBlob(function)
    }
  }

  mutating func update(_ bytes: some DataProtocol) {
    switch self {
    case .sha256(var function):
      function.update(data: bytes)
      self = .sha256(function)
    case .gitBlob(var function):
      function.update(data: bytes)
      self = .gitBlob(function)
    }
  }

  var hexadecimal: String {
    switch self {
    case .sha256(let function): Self.hexadecimal(function.finalize())
    case .gitBlob(let function): Self.hexadecimal(function.finalize())
    }
  }

  private static func hexadecimal(_ digest: some Sequence<UInt8>) -> String {
    digest.map { byte in
      let text = String(byte, radix: 16)
      return byte < 16 ? "0" + text : text
    }
    .joined()
  }
}

/// An entry of the hub's list of a repository's files.
struct HubTreeEntry: Decodable, Equatable {
  struct LFS: Decodable, Equatable {
    var oid: String
    var size: UInt64
  }

  var type: String
  var path: String
  var oid: String
  var size: UInt64
  var lfs: LFS?

  /// nil for a folder, and for an id that could name nothing.
  var file: HubFile? {
    let (id, length) = lfs.map { ($0.oid, 64) } ?? (oid, 40)
    guard type == "file", id.utf8.count == length, id.allSatisfy(\.isHexDigit) else { return nil }
    let digest = id.lowercased()
    return HubFile(
      name: path, bytes: lfs?.size ?? size,
      digest: lfs == nil ? .gitBlob(digest) : .sha256(digest))
  }
}
