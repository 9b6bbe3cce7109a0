import Settings

/// The configuration, and what it names on this machine.
extension Check {
  /// - Parameters:
  ///   - source: the file's path, or what stands for it.
  ///   - findings: of `rerankctl config check`.
  static func configuration(_ source: String, _ findings: [ConfigurationFinding]) -> [Check] {
    // The ledger's folder has checks of its own.
    let others = findings.filter {
      !DaemonConfiguration.isSecretFile($0.key) && $0.key != "queue.ledger.path"
    }
    guard !others.isEmpty else {
      return [Check("configuration", .ok, "\(source): nothing is wrong")]
    }
    return others.map { finding("configuration", $0) }
  }

  /// - Parameter files: how many the configuration names.
  static func secrets(_ findings: [ConfigurationFinding], files: Int) -> [Check] {
    let own = findings.filter { DaemonConfiguration.isSecretFile($0.key) }
    guard own.isEmpty else { return own.map { finding("secrets", $0) } }
    guard files > 0 else { return [] }
    return [
      Check("secrets", .ok, "\(Quantity.count(files, "file")) that only their owner may read")
    ]
  }

  private static func finding(_ name: String, _ finding: ConfigurationFinding) -> Check {
    let place = finding.place.map { "\($0): " } ?? ""
    return Check(
      name, finding.level == .error ? .failed : .warning,
      "\(place)\(finding.key): \(finding.message)")
  }

  /// - Parameter queueAnswers: then what listens there is taken for Rerankd.
  static func listen(_ address: ListenAddress, queueAnswers: Bool) -> Check {
    let what = "\(address.text) (\(address.key))"
    switch address.state {
    case .free:
      return Check("listen", .ok, "\(what) can be had")
    case .taken where queueAnswers:
      return Check("listen", .ok, "\(what) is in use, and Rerankd runs")
    case .taken:
      let port = address.text.split(separator: ":").last ?? ""
      return Check(
        "listen", .failed, "\(what) is in use, and no queue answers",
        mend: "ss -ltnp 'sport = :\(port)' shows by whom; end that, or set \(address.key)")
    case .refused(let reason):
      return Check(
        "listen", .failed, "\(what) cannot be had: \(reason)", mend: "set \(address.key)")
    }
  }

  /// - Parameters:
  ///   - files: "builtin", or the folder.
  ///   - precision: that `auto` took; an error where it cannot be loaded.
  static func model(
    _ name: String, files: String, loaded precision: Result<String, any Error>
  ) -> Check {
    switch precision {
    case .success(let precision):
      Check("model", .ok, "\(name) loads, in \(precision), with its golden pairs")
    case .failure(let error):
      Check("model", .failed, "\(name): \(error)", mend: "rerankctl models verify \(files)")
    }
  }
}
