import RerankdProtocol

extension Content {
  /// A document as the ranking shows it: its text, with images named.
  var summary: String {
    parts.map { part in
      switch part.kind {
      case .text(let text)?: text
      case .image(let image)?:
        image.url.isEmpty ? "[image, \(image.data.count) bytes]" : "[image \(image.url)]"
      case nil: ""
      }
    }
    .joined(separator: " ")
  }
}
