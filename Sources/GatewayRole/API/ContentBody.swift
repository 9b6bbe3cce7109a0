import Foundation
import RerankdClient
import RerankdProtocol

/// A query or a document as the rerank APIs write them: a text; `{text}`; `{image}`, a URL or the
/// file in base64; `{content: […]}` with parts of the chat APIs (`text`, `image_url`).
///
/// data: URLs become the file's bytes. http(s) URLs are passed on, and nobody here opens them.
struct ContentBody: Decodable {
  var content: Content

  init(from decoder: any Decoder) throws {
    content = Content()
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      content = Content(text: text)
      return
    }
    let fields: KeyedDecodingContainer<CodingKeys>
    do {
      fields = try decoder.container(keyedBy: CodingKeys.self)
    } catch {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "must be a text, or an object with text, image or content"))
    }
    if let parts = try Self.parts(fields) { content.parts = parts }
    if let text = try fields.decodeIfPresent(String.self, forKey: .text) {
      content.parts.append(.text(text))
    }
    if let image = try fields.decodeIfPresent(String.self, forKey: .image) {
      content.parts.append(
        try .image(image, isBareBase64Allowed: true, path: fields.codingPath + [CodingKeys.image]))
    }
    guard !content.parts.isEmpty else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath, debugDescription: "has neither text, image nor content"))
    }
  }

  private static func parts(_ fields: KeyedDecodingContainer<CodingKeys>) throws -> [Part]? {
    guard fields.contains(.content) else { return nil }
    if let text = try? fields.decode(String.self, forKey: .content) { return [.text(text)] }
    return try fields.decodeIfPresent([ContentPartBody].self, forKey: .content)?.map(\.part)
  }

  private enum CodingKeys: String, CodingKey {
    case text
    case image
    case content
  }
}

/// `{type: "text", text}` or `{type: "image_url", image_url: {url} | url}`.
private struct ContentPartBody: Decodable {
  var part: Part

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let type = try fields.decode(String.self, forKey: .type)
    switch type {
    case "text":
      part = .text(try fields.decode(String.self, forKey: .text))
    case "image_url":
      let path = fields.codingPath + [CodingKeys.imageURL]
      if let url = try? fields.decode(String.self, forKey: .imageURL) {
        part = try .image(url, isBareBase64Allowed: false, path: path)
      } else {
        let source = try fields.decode(Source.self, forKey: .imageURL)
        part = try .image(source.url, isBareBase64Allowed: false, path: path)
      }
    default:
      throw DecodingError.dataCorruptedError(
        forKey: .type, in: fields,
        debugDescription: "\"\(type.prefix(40))\" is neither \"text\" nor \"image_url\"")
    }
  }

  private struct Source: Decodable {
    var url: String
  }

  private enum CodingKeys: String, CodingKey {
    case type
    case text
    case imageURL = "image_url"
  }
}

extension Part {
  fileprivate static func text(_ text: String) -> Part {
    var part = Part()
    part.text = text
    return part
  }

  fileprivate static func image(
    _ source: String, isBareBase64Allowed: Bool, path: [any CodingKey]
  ) throws -> Part {
    var part = Part()
    let scheme = source.prefix { $0 != ":" && $0 != "/" }.lowercased()
    if ["http", "https"].contains(scheme), source.dropFirst(scheme.count).hasPrefix("://") {
      part.image.url = source
      return part
    }
    let encoded: Substring
    if scheme == "data", let comma = source.firstIndex(of: ",") {
      guard source[..<comma].lowercased().hasSuffix(";base64") else {
        throw corrupted(path, "a data: URL must be in base64 (data:image/png;base64,…)")
      }
      encoded = source[source.index(after: comma)...]
    } else if isBareBase64Allowed {
      encoded = source[...]
    } else {
      throw corrupted(path, "must be an http(s) or a data: URL")
    }
    guard let data = Data(base64Encoded: Data(encoded.utf8)), !data.isEmpty else {
      throw corrupted(
        path,
        isBareBase64Allowed
          ? "is neither an http(s) URL, nor a data: URL, nor a file in base64"
          : "what follows the comma of the data: URL is no base64")
    }
    part.image.data = data
    return part
  }

  private static func corrupted(_ path: [any CodingKey], _ message: String) -> DecodingError {
    .dataCorrupted(.init(codingPath: path, debugDescription: message))
  }
}
