import AccessKeys
import ZeroMQ

/// A secret key's file and the public key that goes with it, as they are printed.
struct PublicKeyView: Encodable {
  var file: String
  var publicKey: String

  init(_ file: String, _ key: CurvePublicKey) {
    self.file = file
    publicKey = key.z85
  }

  static func table(_ keys: [PublicKeyView]) -> TextTable {
    var table = TextTable([("FILE", .left), ("PUBLIC KEY", .left)])
    for key in keys { table.append([key.file, key.publicKey]) }
    return table
  }
}

/// A key that a queue lets in, as it is printed.
struct AuthorizedKeyView: Encodable {
  var name: String
  var role: String
  var publicKey: String
  /// Of a producer; nil: all of them.
  var tenants: [String]?

  init(_ key: AuthorizedKey) {
    name = key.name
    role = key.role.rawValue
    publicKey = key.publicKey.z85
    tenants =
      switch key.tenants {
      case .all: nil
      case .only(let names): names.sorted()
      }
  }

  static func table(_ keys: [AuthorizedKeyView]) -> TextTable {
    var table = TextTable([
      ("NAME", .left), ("ROLE", .left), ("PUBLIC KEY", .left), ("TENANTS", .left),
    ])
    for key in keys {
      let tenants = key.tenants?.joined(separator: ",") ?? "*"
      table.append([key.name, key.role, key.publicKey, tenants])
    }
    return table
  }
}
