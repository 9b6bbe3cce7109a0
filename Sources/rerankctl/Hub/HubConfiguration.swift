import ArgumentParser
import Foundation

/// Where the hub is, who asks, and how far a download may go.
struct HubConfiguration: Sendable {
  /// Without a slash at its end.
  var endpoint: URL
  /// Sent to the endpoint's own host alone.
  var token: String?
  var connectTimeout = Duration.seconds(10)
  /// A connection that has brought nothing for so long is given up.
  var silenceMax = Duration.seconds(30)
  /// Tries in a row that bring no byte.
  var attemptsMax = 6
  var backoffBase = Duration.milliseconds(500)
  var backoffCap = Duration.seconds(20)
  /// A hub that wants a longer wait than this is not waited for.
  var retryAfterMax = Duration.seconds(120)
  var redirectsMax = 5
  /// One page of the list of files, and how many of them.
  var listingBytesMax = 8 << 20
  var listingPagesMax = 50
  /// Every file that holds no weights.
  var smallFileBytesMax: UInt64 = 64 << 20
  /// All files together.
  var modelBytesMax: UInt64 = 512 << 30
  /// Each is open for as long as all are fetched, and processes are often limited to 1,024 files.
  var shardsMax = 512

  static let defaultEndpoint = "https://huggingface.co"

  init(endpoint: URL, token: String?) {
    self.endpoint = endpoint
    self.token = token
  }

  /// HF_ENDPOINT and HF_TOKEN, which the hub's own tools take as well.
  ///
  /// - Throws: ``InputError`` for what is no address, or would carry the token in the clear.
  init(environment: [String: String]) throws {
    var text = environment["HF_ENDPOINT"].flatMap(\.nonEmpty) ?? Self.defaultEndpoint
    while text.hasSuffix("/") { text.removeLast() }
    guard let url = URL(string: text), let host = url.host(), !host.isEmpty,
      ["http", "https"].contains(url.scheme), url.user == nil, url.query == nil
    else {
      throw InputError("HF_ENDPOINT is no http or https address: \(Self.defaultEndpoint) is one")
    }
    let token = environment["HF_TOKEN"]?.trimmingCharacters(in: .whitespacesAndNewlines).nonEmpty
    if let token {
      guard url.scheme == "https" || Self.isLoopback(host) else {
        throw InputError(
          "HF_ENDPOINT is http, where others can read the token of HF_TOKEN: use https, or unset one "
            + "of them")
      }
      guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw InputError("HF_TOKEN has characters that no token has; is it whole?")
      }
    }
    self.init(endpoint: url, token: token)
  }

  var host: String { endpoint.host() ?? "" }

  private static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || host == "[::1]" || host.hasPrefix("127.")
  }
}

/// A model's repository, as the hub names it: "ORG/NAME", or a name alone for the oldest ones.
struct HubModel: ExpressibleByArgument, CustomStringConvertible, Equatable {
  let description: String

  private static let partCharactersMax = 96

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), parts.allSatisfy(Self.isName) else { return nil }
    description = argument
  }

  /// Of the model alone, which its folder gets.
  var name: String { String(description[(description.lastIndex(of: "/").map(after) ?? start)...]) }

  private var start: String.Index { description.startIndex }

  private func after(_ index: String.Index) -> String.Index { description.index(after: index) }

  private static func isName(_ part: Substring) -> Bool {
    (1...partCharactersMax).contains(part.utf8.count) && part.first != "." && part.first != "-"
      && part.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "._-".utf8.contains(byte)
        }
      }
  }
}
