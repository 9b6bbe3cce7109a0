import Foundation
import NIOHTTP1
import RerankdProtocol
import Testing

@testable import GatewayRole

/// The page's files, and what keeps other sites away from its calls.
@Suite struct PageTests {
  @Test func theFilesAreServedUnderAStrictPolicy() async throws {
    try await RunningGateway.run { gateway in
      let page = try await gateway.send(.GET, "/ui/")
      #expect(page.status == 200)
      #expect(page.headers.first(name: "content-type") == "text/html; charset=utf-8")
      let policy = try #require(page.headers.first(name: "content-security-policy"))
      #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'"))
      #expect(policy.contains("require-trusted-types-for 'script'"))
      #expect(!policy.contains("unsafe"))
      #expect(page.headers.first(name: "x-content-type-options") == "nosniff")
      #expect(page.headers.first(name: "referrer-policy") == "no-referrer")
      #expect(page.headers.first(name: "access-control-allow-origin") == nil)
    }
  }

  /// What the policy would forbid is not in the page to begin with, and neither is anything that
  /// makes markup of a text.
  @Test func theFilesNeedNothingThatThePolicyForbids() throws {
    for (name, asset) in PageAsset.all {
      let text = String(decoding: asset.bytes, as: UTF8.self)
      for forbidden in [
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=",
        "onclick=\"", "javascript:", "https://",
      ] {
        #expect(!text.contains(forbidden), "\(name) has \(forbidden)")
      }
    }
    let html = String(decoding: try #require(PageAsset.all[""]).bytes, as: UTF8.self)
    for reference in html.matches(of: /(?:src|href)="([^#"]+)"/) {
      #expect(PageAsset.all[String(reference.1)] != nil, "\(reference.1)")
    }
    for (name, asset) in PageAsset.all where name.hasSuffix(".js") {
      for reference in String(decoding: asset.bytes, as: UTF8.self).matches(of: /from "\.\/(.+)"/) {
        #expect(PageAsset.all[String(reference.1)] != nil, "\(name) imports \(reference.1)")
      }
    }
  }

  @Test func whatABrowserHasIsNotSentAgain() async throws {
    try await RunningGateway.run { gateway in
      for name in PageAsset.all.keys {
        let first = try await gateway.send(.GET, "/ui/\(name)")
        #expect(first.status == 200)
        #expect(first.headers.first(name: "cache-control") == "no-cache")
        let tag = try #require(first.headers.first(name: "etag"))
        let again = try await gateway.send(
          .GET, "/ui/\(name)", headers: [("If-None-Match", "\"other\", W/\(tag)")])
        #expect(again.status == 304)
        #expect(again.body.isEmpty)
        let changed = try await gateway.send(
          .GET, "/ui/\(name)", headers: [("If-None-Match", "\"other\"")])
        #expect(changed.body == first.body)
      }
    }
  }

  @Test func theEntranceLeadsToThePageAndUnknownNamesNowhere() async throws {
    try await RunningGateway.run { gateway in
      // The client follows.
      let entrance = try await gateway.send(.GET, "/ui")
      #expect(entrance.headers.first(name: "content-type") == "text/html; charset=utf-8")
      for path in [
        "/ui/nothing.js", "/ui/../tokens", "/ui/api", "/ui/api/control/PurgeJobs", "/uix",
      ] {
        #expect(try await gateway.send(.GET, path).status == 404, "\(path)")
      }
      #expect(try await gateway.send(.POST, "/ui/").status == 405)
      #expect(try await gateway.send(.GET, "/ui/api/control/SetPaused").status == 405)
    }
  }

  @Test func withoutThePageThereIsNothing() async throws {
    let queue = StubOperatedQueue()
    try await RunningGateway.run(operated: [queue], configure: { $0.servesPage = false }) {
      gateway in
      for path in ["/ui", "/ui/", "/ui/main.js", "/ui/api/status", "/ui/api/session"] {
        let reply = try await gateway.send(.GET, path)
        #expect(reply.status == 404, "\(path)")
      }
      #expect(queue.calls.isEmpty)
    }
  }

  /// DNS rebinding: a foreign name that leads to this machine.
  @Test func anOpenGatewayAnswersToItsOwnNamesAlone() async throws {
    try await RunningGateway.run { gateway in
      for host in [
        "evil.example", "evil.example:\(gateway.port)", "127.0.0.1.evil.example", "10.0.0.1",
      ] {
        let reply = try await gateway.send(.GET, "/ui/api/status", headers: [("Host", host)])
        #expect(reply.status == 403, "\(host)")
        #expect(try reply.error()["code"] as? String == "foreign_page")
      }
      for host in ["localhost", "LOCALHOST:9", "127.0.0.1:9", "[::1]:9"] {
        let reply = try await gateway.send(.GET, "/ui/api/status", headers: [("Host", host)])
        #expect(reply.status == 200, "\(host)")
      }
    }
  }

  /// CSRF: a foreign page in a browser that reaches us.
  @Test func foreignPagesChangeNothing() async throws {
    let queue = StubOperatedQueue()
    try await RunningGateway.run(operated: [queue]) { gateway in
      let own = "http://127.0.0.1:\(gateway.port)"
      let foreign: [[(String, String)]] = [
        [],
        [("Origin", own)],
        [("X-Rerankd-Page", "1"), ("Origin", "http://evil.example")],
        [("X-Rerankd-Page", "1"), ("Origin", "http://127.0.0.1:1")],
        [("X-Rerankd-Page", "1"), ("Origin", "null")],
        [("X-Rerankd-Page", "1"), ("Sec-Fetch-Site", "cross-site")],
        [("X-Rerankd-Page", "1"), ("Sec-Fetch-Site", "same-site")],
      ]
      for headers in foreign {
        let reply = try await gateway.send(
          .POST, "/ui/api/control/SetPaused", #"{"paused":true}"#, headers: headers)
        #expect(reply.status == 403, "\(headers)")
      }
      #expect(try await gateway.send(.OPTIONS, "/ui/api/control/SetPaused").status == 405)
      #expect(!queue.calls.contains("paused true"))
      let reply = try await gateway.send(
        .POST, "/ui/api/control/SetPaused", #"{"paused":true}"#,
        headers: [("X-Rerankd-Page", "1"), ("Origin", own), ("Sec-Fetch-Site", "same-origin")])
      #expect(reply.status == 200)
      #expect(queue.calls.contains("paused true"))
    }
  }
}
