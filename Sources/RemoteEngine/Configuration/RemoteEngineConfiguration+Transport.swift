import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL

extension RemoteEngineConfiguration {
  /// - Parameter environment: where the proxy's credentials are looked up.
  /// - Throws: ``Invalid`` for certificates that cannot be read and credentials that are not there.
  func httpConfiguration(environment: [String: String]) throws(Invalid) -> HTTPClient.Configuration
  {
    var http = HTTPClient.Configuration(
      redirectConfiguration: .disallow, timeout: .init(connect: TimeAmount(connectTimeout)))
    http.httpVersion = .http1Only
    // By itself it takes the process's tracer, and tells of each request once more.
    http.tracing.tracer = nil
    // The slots bound what is under way, so that no request waits inside the pool on a clock of its
    // own.
    http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = concurrentRequestsMax
    // A refused connection is the queue's to retry, with everybody else's wait taken into account.
    http.connectionPool.retryConnectionEstablishment = false
    http.tlsConfiguration = try tlsConfiguration()
    http.proxy = try proxyConfiguration(environment)
    return http
  }

  private func tlsConfiguration() throws(Invalid) -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    if tls.isInsecure { configuration.certificateVerification = .none }
    if let path = tls.authoritiesFile {
      configuration.trustRoots = .certificates(try Self.certificates(path, key: "tls.ca_file"))
    }
    if let path = tls.certificateFile, let keyPath = tls.keyFile {
      configuration.certificateChain = try Self.certificates(path, key: "tls.certificate_file")
        .map { .certificate($0) }
      do {
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: keyPath, format: .pem))
      } catch {
        throw Invalid(key: "tls.key_file", message: "\(keyPath) holds no PEM key that can be read")
      }
    }
    return configuration
  }

  private static func certificates(
    _ path: String, key: String
  ) throws(Invalid) -> [NIOSSLCertificate] {
    guard let found = try? NIOSSLCertificate.fromPEMFile(path), !found.isEmpty else {
      throw Invalid(key: key, message: "\(path) holds no PEM certificate that can be read")
    }
    return found
  }

  private func proxyConfiguration(
    _ environment: [String: String]
  ) throws(Invalid) -> HTTPClient.Configuration.Proxy? {
    guard let proxy, let address = ProxyAddress(proxy.url) else { return nil }
    guard let variable = proxy.credentialsVariable else {
      return address.scheme == .socks5
        ? .socksServer(host: address.host, port: address.port)
        : .server(host: address.host, port: address.port)
    }
    guard let credentials = environment[variable], credentials.contains(":") else {
      throw Invalid(
        key: "proxy.credentials_env",
        message: "the environment variable \(variable) must hold USER:PASSWORD")
    }
    return .server(
      host: address.host, port: address.port,
      authorization: .basic(credentials: Data(credentials.utf8).base64EncodedString()))
  }
}
