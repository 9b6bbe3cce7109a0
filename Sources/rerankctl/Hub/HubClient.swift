import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Asks the hub: follows where it leads, and says what an answer that is no success means.
///
/// The API is the hub's own: `/api/models/NAME/revision/REVISION` for the commit,
/// `/api/models/NAME/tree/COMMIT` for the files, `/NAME/resolve/COMMIT/FILE` for a file, which is
/// mostly led elsewhere from there.
struct HubClient {
  let configuration: HubConfiguration
  let model: HubModel
  let revision: String
  private let client: HTTPClient

  init(_ configuration: HubConfiguration, model: HubModel, revision: String) {
    self.configuration = configuration
    self.model = model
    self.revision = revision
    var http = HTTPClient.Configuration(
      redirectConfiguration: .disallow,
      timeout: .init(
        connect: TimeAmount(configuration.connectTimeout),
        read: TimeAmount(configuration.silenceMax)))
    // Ranges count the bytes of the file, so these must not be packed.
    http.decompression = .disabled
    http.httpVersion = .http1Only
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
  }

  func shutdown() async throws {
    try await client.shutdown()
  }

  // MARK: What is asked

  private struct Revision: Decodable {
    var sha: String
  }

  /// The commit that the revision is now, so that all files are of one.
  func commit() async throws -> String {
    let url = url("api/models/\(model)/revision/\(Self.escaped(revision))")
    let answer = try await open(url, what: "\(model)")
    let found = try decoded(Revision.self, try await body(of: answer), url)
    guard found.sha.utf8.count == 40, found.sha.allSatisfy(\.isHexDigit) else {
      throw unexpected("the commit of \(model)", url)
    }
    return found.sha
  }

  /// One page of the files of the repository's first folder.
  ///
  /// - Parameter page: as the page before it has it; nil for the first.
  func files(of commit: String, page: URL?) async throws -> (entries: [HubTreeEntry], next: URL?) {
    let url = page ?? url("api/models/\(model)/tree/\(commit)")
    let answer = try await open(url, what: "the files of \(model)")
    let entries = try decoded([HubTreeEntry].self, try await body(of: answer), url)
    guard let next = answer.headers.first(name: "link").flatMap(Self.nextPage) else {
      return (entries, nil)
    }
    guard Self.isSameOrigin(next, configuration.endpoint) else {
      throw unexpected("the list of \(model)'s files, which leads to another host", next)
    }
    return (entries, next)
  }

  /// A file's content from a byte on. A server may begin at the first byte all the same.
  ///
  /// - Returns: the first byte's place, and what follows.
  func content(
    of file: HubFile, commit: String, from start: UInt64
  ) async throws -> (start: UInt64, body: HTTPClientResponse.Body) {
    let url = url("\(model)/resolve/\(commit)/\(Self.escaped(file.name))")
    let answer = try await open(url, what: "\(file.name) of \(model)", from: start)
    guard answer.status == .partialContent else { return (0, answer.body) }
    guard let range = answer.headers.first(name: "content-range"),
      let (_, first, whole) = range.wholeMatch(of: /bytes (\d+)-\d+\/(\d+)/)?.output,
      UInt64(first) == start, UInt64(whole) == file.bytes
    else { throw unexpected("another part of \(file.name) than was asked for", url) }
    return (start, answer.body)
  }

  // MARK: How

  /// - Returns: a success, from wherever it was led to.
  private func open(
    _ first: URL, what: String, from start: UInt64 = 0
  ) async throws -> HTTPClientResponse {
    var url = first
    for _ in 0...configuration.redirectsMax {
      let answer = try await send(url, from: start)
      switch answer.status.code {
      case 200, 206:
        return answer
      case 301, 302, 303, 307, 308:
        guard let place = answer.headers.first(name: "location"),
          let next = URL(string: place, relativeTo: url)?.absoluteURL,
          ["http", "https"].contains(next.scheme)
        else { throw unexpected("a redirect that leads nowhere", url) }
        guard url.scheme == "http" || next.scheme == "https" else {
          throw unexpected("a redirect from https to http", next)
        }
        url = next
      default:
        let headers = answer.headers.reduce(into: [String: String]()) {
          $0[$1.name.lowercased()] = $1.value
        }
        throw HubError(
          status: Int(answer.status.code), headers: headers, of: model, revision: revision,
          what: what, host: url.host() ?? "", hasToken: configuration.token != nil)
      }
    }
    throw unexpected("more than \(configuration.redirectsMax) redirects", url)
  }

  private func send(_ url: URL, from start: UInt64) async throws -> HTTPClientResponse {
    var request = HTTPClientRequest(url: url.absoluteString)
    request.headers.add(name: "user-agent", value: "rerankctl")
    request.headers.add(name: "accept-encoding", value: "identity")
    if start > 0 { request.headers.add(name: "range", value: "bytes=\(start)-") }
    // Where files are kept is no business of whoever gave the token.
    if let token = configuration.token, Self.isSameOrigin(url, configuration.endpoint) {
      request.headers.add(name: "authorization", value: "Bearer \(token)")
    }
    do {
      return try await client.execute(request, deadline: .distantFuture)
    } catch {
      throw HubClient.unreachable(url.host() ?? "", error)
    }
  }

  private func body(of answer: HTTPClientResponse) async throws -> [UInt8] {
    var collected: [UInt8] = []
    do {
      for try await chunk in answer.body {
        guard collected.count + chunk.readableBytes <= configuration.listingBytesMax else {
          throw unexpected("a list of over \(configuration.listingBytesMax) bytes", nil)
        }
        collected += chunk.readableBytesView
      }
    } catch let error as HubError {
      throw error
    } catch {
      throw HubClient.unreachable(configuration.host, error)
    }
    return collected
  }

  static func unreachable(_ host: String, _ error: any Error) -> any Error {
    if error is CancellationError { return error }
    let what = (error as? HTTPClientError)?.shortDescription ?? "\(error)"
    return HubError(
      .unavailable, "\(host) cannot be reached: \(what); check the network and HF_ENDPOINT")
  }

  private func decoded<Value: Decodable>(
    _ type: Value.Type, _ body: [UInt8], _ url: URL
  ) throws -> Value {
    guard let value = try? JSONDecoder().decode(type, from: Data(body)) else {
      throw unexpected("what is no list of a hub", url)
    }
    return value
  }

  private func unexpected(_ what: String, _ url: URL?) -> HubError {
    let place = url.flatMap { $0.host() } ?? configuration.host
    return HubError(.unexpected, "\(place) answered \(what): does HF_ENDPOINT name a hub?")
  }

  // MARK: Addresses

  private func url(_ path: String) -> URL {
    // Built of names that were checked and of what was escaped.
    URL(string: configuration.endpoint.absoluteString + "/" + path) ?? configuration.endpoint
  }

  /// For one part of a path: a slash in a branch's name is no further part.
  private static func escaped(_ part: String) -> String {
    let allowed = CharacterSet.alphanumerics.intersection(CharacterSet(charactersIn: "\0"..."~"))
      .union(CharacterSet(charactersIn: "-._~"))
    return part.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
  }

  /// `<ADDRESS>; rel="next"`, as RFC 8288 has it.
  private static func nextPage(_ link: String) -> URL? {
    link.firstMatch(of: /<([^>]+)>;\s*rel="next"/).flatMap { URL(string: String($0.output.1)) }
  }

  static func isSameOrigin(_ one: URL, _ other: URL) -> Bool {
    func port(_ url: URL) -> Int { url.port ?? (url.scheme == "https" ? 443 : 80) }
    return one.scheme == other.scheme && one.host() == other.host() && port(one) == port(other)
  }
}
