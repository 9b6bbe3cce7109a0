import Crypto
import HTTPTypes
import Hummingbird
import NIOCore

/// One of the page's files. They lie in `Assets` and are compiled into the binary.
struct PageAsset: Sendable {
  let bytes: [UInt8]
  let type: String
  /// Of the content, so that browsers ask again and are told that nothing has changed.
  let entityTag: String

  private init(_ bytes: [UInt8], _ type: String) {
    self.bytes = bytes
    self.type = type
    let digest = SHA256.hash(data: bytes).prefix(16)
    entityTag = "\"" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
  }

  private static func script(_ bytes: [UInt8]) -> PageAsset {
    PageAsset(bytes, "text/javascript; charset=utf-8")
  }

  /// By their names below `/ui/`.
  static let all: [String: PageAsset] = [
    "": PageAsset(PackageResources.index_html, "text/html; charset=utf-8"),
    "page.css": PageAsset(PackageResources.page_css, "text/css; charset=utf-8"),
    "icon.svg": PageAsset(PackageResources.icon_svg, "image/svg+xml"),
    "api.js": script(PackageResources.api_js),
    "charts.js": script(PackageResources.charts_js),
    "dom.js": script(PackageResources.dom_js),
    "fleet.js": script(PackageResources.fleet_js),
    "format.js": script(PackageResources.format_js),
    "history.js": script(PackageResources.history_js),
    "images.js": script(PackageResources.images_js),
    "jobs.js": script(PackageResources.jobs_js),
    "main.js": script(PackageResources.main_js),
    "overview.js": script(PackageResources.overview_js),
    "playground.js": script(PackageResources.playground_js),
    "theme.js": script(PackageResources.theme_js),
    "verdict.js": script(PackageResources.verdict_js),
    "view.js": script(PackageResources.view_js),
  ]

  /// Browsers keep it and ask each time whether it is still the one: a new gateway's page is never
  /// mixed with an old one's.
  func response(to request: Request) -> Response {
    var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache", .eTag: entityTag]
    let known = request.headers[.ifNoneMatch] ?? ""
    if known.split(separator: ",").contains(where: { $0.contains(entityTag) }) {
      return Response(status: .notModified, headers: headers)
    }
    headers[.contentLength] = "\(bytes.count)"
    return Response(
      status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
