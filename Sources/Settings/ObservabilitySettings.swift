import Observability

/// The subsections `metrics` of roles, and the section `tracing`.
extension MetricsListenerConfiguration {
  /// - Parameter section: of the role, whose `metrics` is read.
  init(_ section: ConfigurationSection, host: String?, port: Int) {
    self.init(host: host, port: port)
    let metrics = section.section("metrics")
    var listen = self.listen
    metrics.text("listen", into: &listen)
    metrics.flag("insecure", into: &insecure)
    metrics.noting {
      guard setListen(listen) else { throw metrics.error("listen", Self.listenForm) }
      if let (key, message) = firstProblem { throw metrics.error(key, message) }
    }
  }
}

extension TracingConfiguration {
  /// OTEL_EXPORTER_OTLP_ENDPOINT goes before the file.
  init(_ section: ConfigurationSection, environment: [String: String]) {
    self.init()
    section.text("otlp_endpoint", into: &endpoint)
    var percent = Int((sampleRatio * 100).rounded())
    section.count("sample_percent", into: &percent, in: 0...100)
    sampleRatio = Double(percent) / 100
    if let named = environment["OTEL_EXPORTER_OTLP_ENDPOINT"], !named.isEmpty { endpoint = named }
    section.noting {
      if let (key, message) = firstProblem { throw section.error(key, message) }
    }
  }
}
