public import ZeroMQ

/// A client key that a queue lets in, and as what.
public struct AuthorizedKey: Sendable, Equatable {
  /// For people and logs: 1 to 64 letters, digits, dots, hyphens and underscores.
  public var name: String
  public var role: AccessRole
  public var publicKey: CurvePublicKey
  /// Of a producer.
  public var tenants: TenantScope

  /// - Throws: `AccessKeysError` for a name that is none, and for tenants of another role than
  ///   producer.
  public init(
    name: String, role: AccessRole, publicKey: CurvePublicKey, tenants: TenantScope? = nil
  ) throws(AccessKeysError) {
    guard Self.isName(name) else {
      throw AccessKeysError(
        .content,
        "a key's name has 1 to \(Self.nameBytesMax) letters, digits, dots, hyphens and underscores")
    }
    guard tenants == nil || role == .producer else {
      throw AccessKeysError(.content, "tenants are for producers; a \(role.rawValue) has none")
    }
    self.name = name
    self.role = role
    self.publicKey = publicKey
    self.tenants = tenants ?? (role == .producer ? .standard : .all)
  }

  static let nameBytesMax = 64

  static func isName(_ text: String) -> Bool {
    (1...nameBytesMax).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")].contains(byte)
      }
  }
}

/// The tenants whose jobs somebody may submit and see.
public enum TenantScope: Sendable, Equatable {
  case all
  case only(Set<String>)

  /// What a producer has that names none: jobs that name no tenant.
  public static let standard = TenantScope.only(["default"])
  static let tenantBytesMax = 256
  static let tenantsMax = 256

  public func contains(_ tenant: String) -> Bool {
    switch self {
    case .all: true
    case .only(let tenants): tenants.contains(tenant)
    }
  }

  /// From "a,b", or "*" for all.
  /// - Throws: `AccessKeysError` for a list that is empty or too long, or has an empty name.
  public init(list: some StringProtocol) throws(AccessKeysError) {
    guard list != "*" else {
      self = .all
      return
    }
    let tenants = list.split(separator: "," as Character, omittingEmptySubsequences: false)
      .map { String($0) }
    guard tenants.count <= Self.tenantsMax,
      tenants.allSatisfy({ tenant in
        (1...Self.tenantBytesMax).contains(tenant.utf8.count) && tenant != "*"
          && !tenant.contains(where: \.isWhitespace)
      })
    else {
      throw AccessKeysError(
        .content,
        "tenants are 1 to \(Self.tenantsMax) names without spaces and with commas between, or *")
    }
    self = .only(Set(tenants))
  }

  public var list: String {
    switch self {
    case .all: "*"
    case .only(let tenants): tenants.sorted().joined(separator: ",")
    }
  }
}

/// A line of the file: NAME ROLE KEY [tenant=a,b], with white space between, and a comment after it
/// where a word begins with "#". No key does: it is Z85's last digit, and too large for a first one.
extension AuthorizedKey {
  /// - Returns: nil for an empty line or a comment.
  /// - Throws: `AccessKeysError` that says what is wrong.
  init?(line: some StringProtocol) throws(AccessKeysError) {
    let words = line.split(whereSeparator: \.isWhitespace)
    guard let first = words.first, !first.hasPrefix("#") else { return nil }
    guard words.count >= 3 else {
      throw AccessKeysError(.content, "expected NAME ROLE KEY, and tenant=… for some producers")
    }
    guard let role = AccessRole(rawValue: String(words[1])) else {
      let roles = AccessRole.allCases.map(\.rawValue).joined(separator: ", ")
      throw AccessKeysError(.content, "\"\(words[1].prefix(64))\" is none of the roles: \(roles)")
    }
    let key: CurvePublicKey
    do {
      key = try CurvePublicKey(z85: String(words[2]))
    } catch {
      throw AccessKeysError(.content, error.message)
    }
    var tenants: TenantScope?
    for word in words.dropFirst(3) {
      if word.hasPrefix("#") { break }
      guard word.hasPrefix("tenant="), tenants == nil else {
        throw AccessKeysError(
          .content, "\"\(word.prefix(64))\" is not understood; expected tenant=… once, or a comment"
        )
      }
      tenants = try TenantScope(list: word.dropFirst("tenant=".count))
    }
    try self.init(name: String(first), role: role, publicKey: key, tenants: tenants)
  }

  var line: String {
    let tenants = role == .producer && tenants != .standard ? " tenant=\(tenants.list)" : ""
    return "\(name) \(role.rawValue) \(publicKey.z85)\(tenants)"
  }
}
