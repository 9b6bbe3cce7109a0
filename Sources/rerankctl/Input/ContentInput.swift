import Foundation
import RerankdClient
import RerankdProtocol

/// A query or a document as JSON writes it: a text, {"text"}, {"image_url"}, or {"content": [parts]}.
enum ContentInput {
  static func content(_ value: JSONValue) throws -> Content {
    switch value {
    case .string(let text):
      return Content(text: text)
    case .object(let object):
      if case .array(let items)? = object["content"], object.count == 1 {
        var content = Content()
        content.parts = try items.map(part)
        return content
      }
      var content = Content()
      content.parts = [try part(value)]
      return content
    default:
      throw InputError("expected a text or an object with text, image_url or content")
    }
  }

  /// {"text": …} or {"image_url": … | {"url": …}}; "type" may stand beside them.
  private static func part(_ value: JSONValue) throws -> Part {
    guard case .object(let object) = value else {
      throw InputError("expected an object with text or image_url")
    }
    let keys = Set(object.keys).subtracting(["type"])
    var part = Part()
    switch (object["text"], object["image_url"]) {
    case (.string(let text)?, nil) where keys.count == 1:
      part.text = text
    case (nil, .string(let url)?) where keys.count == 1:
      part.image = try image(url: url)
    case (nil, .object(let inner)?) where keys.count == 1:
      guard case .string(let url)? = inner["url"] else {
        throw InputError("image_url: expected a url")
      }
      part.image = try image(url: url)
    default:
      throw InputError("expected either text or image_url")
    }
    return part
  }

  /// data: URLs travel as the bytes they hold; others are passed on as they are.
  private static func image(url: String) throws -> Image {
    var image = Image()
    guard url.hasPrefix("data:") else {
      image.url = url
      return image
    }
    guard let comma = url.firstIndex(of: ","), url[..<comma].hasSuffix(";base64"),
      let data = Data(base64Encoded: String(url[url.index(after: comma)...]))
    else {
      throw InputError("image_url: expected data:image/…;base64,… with valid base64")
    }
    image.data = data
    return image
  }
}
