import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// What lies in `deploy/` for other programs to read is held against those programs, where they are.
  @Suite struct DeploymentFileTests {
    private static let deploy = PackageFolder.url.appending(path: "deploy")
    private static let units = [
      "rerankd-queue.service", "rerankd-worker@1.service", "rerankd-gateway.service",
      "rerankd.target",
    ]

    @Test(.enabled(if: Program.exists("systemd-analyze"), "systemd-analyze is missing"))
    func systemdTakesTheUnitsAndFindsThemIsolated() async throws {
      let root = try TemporaryFolder("units")
      try installUnits(below: root)
      let verify = try ChildProcess(
        "/usr/bin/env",
        arguments: ["systemd-analyze", "verify", "--root=\(root.url.path)"] + Self.units)
      #expect(try await verify.waitForExit() == .status(0))
      // It also complains of units of the machine's own, which are not all complete there.
      let complaints = verify.text(of: .error).split(separator: "\n").filter {
        $0.contains("rerankd")
      }
      #expect(complaints == [])

      for unit in Self.units where unit.hasSuffix(".service") {
        // Tenths of systemd's points, of which fewer are better: up to 2.0 it calls a service OK.
        let security = try ChildProcess(
          "/usr/bin/env",
          arguments: [
            "systemd-analyze", "security", "--root=\(root.url.path)", "--offline=true",
            "--threshold=20", "--no-pager", unit,
          ])
        let exit = try await security.waitForExit()
        #expect(exit == .status(0), "\(security.text(of: .output).suffix(200))")
      }
    }

    /// A machine's root with the units, what they start, and the units of systemd's own.
    private func installUnits(below root: TemporaryFolder) throws {
      let files = FileManager.default
      let folder = root.url.appending(path: "etc/systemd/system")
      try files.createDirectory(
        at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
      try files.copyItem(at: Self.deploy.appending(path: "systemd"), to: folder)
      try files.createDirectory(
        at: root.url.appending(path: "usr/lib/systemd"), withIntermediateDirectories: true)
      for known in ["/usr/lib/systemd/system", "/lib/systemd/system"]
      where files.fileExists(atPath: known) {
        try files.copyItem(
          at: URL(filePath: known).resolvingSymlinksInPath(),
          to: root.url.appending(path: "usr/lib/systemd/system"))
        break
      }
      for program in ["usr/local/bin/rerankd", "bin/kill"] {
        let path = root.url.appending(path: program)
        try files.createDirectory(
          at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
        #expect(
          files.createFile(
            atPath: path.path, contents: Data("#!/bin/sh\n".utf8),
            attributes: [.posixPermissions: 0o755]))
      }
    }

    @Test func kubernetesManifestsFitTheirSchemas() async throws {
      guard let environment = try await PythonEnvironment.folder("deployment") else { return }
      let folder = Self.deploy.appending(path: "kubernetes")
      // KEDA's resource is no part of Kubernetes, whose schemas do not know it.
      let manifests = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        .filter { !["kustomization.yaml", "keda.yaml", "rerankd.yaml"].contains($0) }
      #expect(manifests.count >= 5)
      for version in ["1.29", "1.37"] {
        let validate = try ChildProcess(
          "\(environment)/bin/kubernetes-validate",
          arguments: ["--strict", "--kubernetes-version", version] + manifests,
          currentFolder: folder)
        let exit = try await validate.waitForExit(timeout: .seconds(60))
        #expect(exit == .status(0), "\(version): \(validate.text(of: .output))")
      }
    }

    @Test(.enabled(if: Program.exists("kubectl"), "kubectl is missing"))
    func kustomizePutsTheManifestsTogether() async throws {
      let kustomize = try ChildProcess(
        "/usr/bin/env",
        arguments: ["kubectl", "kustomize", Self.deploy.appending(path: "kubernetes").path])
      #expect(try await kustomize.waitForExit() == .status(0), "\(kustomize.text(of: .error))")
      let manifests = kustomize.text(of: .output)
      #expect(manifests.contains("kind: StatefulSet"))
      #expect(manifests.contains("image: registry.example/rerankd:"))
      // The configuration's name changes with its content, and pods name it: a change rolls them.
      #expect(manifests.contains("name: rerankd-"))
    }

    /// The image's build copies what is there, and runs what Package.swift makes.
    @Test func theImageIsMadeOfWhatThereIs() throws {
      let text = try String(
        contentsOf: Self.deploy.appending(path: "docker/Dockerfile"), encoding: .utf8)
      let copied = text.split(separator: "\n").filter {
        $0.hasPrefix("COPY ") && !$0.contains("--from=")
      }.map { $0.split(separator: " ")[1] }
      #expect(copied == ["Package.swift", "Sources", "Tests"])
      for path in copied {
        #expect(
          FileManager.default.fileExists(atPath: PackageFolder.url.appending(path: path).path))
      }
      for product in ["rerankd", "rerankctl"] {
        #expect(text.contains("--product \(product)"))
      }
    }

    /// As the pods read it, with keys where the secret would be.
    @Test func theClustersSettingsAreRight() async throws {
      let system = try RunningSystem()
      var text = try String(
        contentsOf: Self.deploy.appending(path: "kubernetes/rerankd.yaml"), encoding: .utf8)
      // What the page on Kubernetes says is to be put in.
      let queueKey = try await system.generateKey("queue")
      for name in ["worker", "gateway"] { _ = try await system.generateKey(name) }
      let authorized = try await system.control([
        "keys", "authorize", "worker", "worker", "--key", queueKey, "--list",
        system.folder.path("authorized_keys"),
      ])
      #expect(authorized.exit == .status(0), "\(authorized.error)")
      try system.folder.writeSecret("", to: "tokens")
      let placeholder = "THE-QUEUES-PUBLIC-KEY"
      #expect(text.contains(placeholder))
      text = text.replacing(placeholder, with: queueKey)
      text = text.replacing("/run/secrets/rerankd", with: system.folder.url.path)
      text = text.replacing("/var/lib/rerankd", with: system.folder.url.path)
      try system.folder.write(text, to: "rerankd.yaml")
      let check = try await system.control(["config", "check", system.folder.path("rerankd.yaml")])
      #expect(check.exit == .status(0), "\(check.output)")
    }

    /// What a page says that a test holds is held by a test of that name.
    @Test(arguments: ["RELIABILITY.md", "SECURITY.md"])
    func testsThatAPageNamesAreThere(page: String) throws {
      let text = try String(contentsOf: Self.deploy.appending(path: page), encoding: .utf8)
      let tests = PackageFolder.url.appending(path: "Tests")
      let files = try #require(FileManager.default.enumerator(atPath: tests.path))
      var known: Set<String> = []
      for case let path as String in files where path.hasSuffix(".swift") {
        let source = try String(contentsOf: tests.appending(path: path), encoding: .utf8)
        for match in source.matches(of: /@Test[\s\S]{0,600}?func (\w+)\(/) {
          known.insert(String(match.output.1))
        }
      }
      var named: Set<String> = []
      for line in text.split(separator: "\n") where line.hasPrefix("|") {
        guard let cell = line.split(separator: "|").last else { continue }
        let names = cell.matches(of: /`(\w+)`/).map { String($0.output.1) }
        named.formUnion(names)
      }
      #expect(named.count > 15)
      #expect(named.subtracting(known).sorted() == [])
    }

    /// Whoever meets a reason finds it in the operator's page.
    @Test func theOperatorsPageHasEveryReason() throws {
      let page = try String(
        contentsOf: Self.deploy.appending(path: "OPERATIONS.md"), encoding: .utf8)
      let sources = PackageFolder.url.appending(path: "Sources")
      let files = try #require(FileManager.default.enumerator(atPath: sources.path))
      var reasons: Set<String> = []
      for case let path as String in files where path.hasSuffix(".swift") {
        let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
        for match in text.matches(of: /reason: "([A-Z][A-Z_]+)"/) {
          reasons.insert(String(match.output.1))
        }
        for match in text.matches(of: /overload\([^;]*?"([A-Z][A-Z_]+)"/) {
          reasons.insert(String(match.output.1))
        }
      }
      #expect(reasons.count > 25)
      #expect(reasons.filter { !page.contains("`\($0)`") }.sorted() == [])
    }
  }
}

/// Programs that a machine may have.
enum Program {
  static func exists(_ name: String) -> Bool {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return path.split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
  }
}
