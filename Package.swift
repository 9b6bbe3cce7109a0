// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// What the simulator looks into, which runs optimised.
let simulated: [SwiftSetting] =
  strict + [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(
  name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let instrumentation = Target.Dependency.product(
  name: "Instrumentation", package: "swift-distributed-tracing")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let serviceLifecycle = Target.Dependency.product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let unixSignals = Target.Dependency.product(
  name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "rerankd",
  products: [
    .executable(name: "rerankd", targets: ["rerankd"]),
    .executable(name: "rerankctl", targets: ["rerankctl"]),
    .library(name: "RerankdClient", targets: ["RerankdClient"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // Secrets and allow-lists as files.
    .target(name: "GuardedFiles", swiftSettings: strict),

    // The wire: what every process speaks.
    .systemLibrary(name: "CZeroMQ"),
    .target(name: "ZeroMQ", dependencies: ["CZeroMQ"], swiftSettings: strict),
    .target(
      name: "AccessKeys", dependencies: ["GuardedFiles", "ZeroMQ"], swiftSettings: strict),
    .target(name: "RerankdProtocol", dependencies: [protobuf], swiftSettings: strict),
    .target(
      name: "CallTransport", dependencies: ["ZeroMQ", "RerankdProtocol"], swiftSettings: strict),

    // What goes on: the roles know swift-metrics, swift-log and swift-distributed-tracing; only
    // processes know where what they tell goes.
    .target(name: "TraceContext", dependencies: [instrumentation], swiftSettings: strict),
    .target(
      name: "Observability",
      dependencies: [
        "TraceContext", asyncHTTPClient, coreMetrics, httpTypes, hummingbird, hummingbirdCore,
        logging, nioCore, nioHTTP1, serviceLifecycle, tracing,
      ],
      swiftSettings: strict),

    // Scoring: what a relevance score is made of.
    .target(name: "Tokenization", swiftSettings: strict),
    .target(name: "Scoring", dependencies: ["Tokenization"], swiftSettings: strict),
    // Optimised in debug builds too: tests run real models, and the bits are the release's.
    .target(name: "CEngineKernels", cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CBuiltInModel", exclude: ["Training", "Weights"]),
    .target(
      name: "EmbeddedEngine",
      dependencies: ["Scoring", "Tokenization", "CEngineKernels", "CBuiltInModel"],
      swiftSettings: strict),
    .target(
      name: "RemoteEngine",
      dependencies: [
        "GuardedFiles", "Scoring", "Tokenization", "TraceContext", asyncHTTPClient, coreMetrics,
        logging, nioCore, nioHTTP1, nioSSL, tracing,
      ],
      swiftSettings: strict),

    // What a ranking is worth.
    .target(name: "Evaluation", swiftSettings: strict),

    // Roles: they never import one another.
    .target(
      name: "Ledger", dependencies: ["RerankdProtocol", grdb, grdbSQLite],
      swiftSettings: simulated),
    .target(
      name: "QueueRole",
      dependencies: [
        "AccessKeys", "GuardedFiles", "ZeroMQ", "Ledger", "RerankdProtocol", "TraceContext",
        coreMetrics, crypto, logging, protobuf, serviceLifecycle, tracing,
      ],
      swiftSettings: simulated),
    .target(
      name: "WorkerRole",
      dependencies: [
        "CallTransport", "RerankdProtocol", "Scoring", "TraceContext", coreMetrics, logging,
        protobuf, serviceLifecycle, tracing,
      ],
      swiftSettings: strict),
    .target(
      name: "RerankdClient", dependencies: ["CallTransport", "RerankdProtocol"],
      swiftSettings: strict),

    .target(
      name: "GatewayRole",
      dependencies: [
        "GuardedFiles", "RerankdClient", "RerankdProtocol", "CallTransport", "Scoring",
        "TraceContext", coreMetrics, crypto, httpTypes, hummingbird, hummingbirdCore,
        hummingbirdTLS, logging, nioCore, nioHTTPTypes, nioSSL, protobuf, serviceLifecycle,
        tracing,
      ],
      // A single binary: what SwiftPM copies would have to lie in a bundle beside it.
      resources: [.embedInCode("Page/Assets")],
      swiftSettings: strict),

    // The configuration of all processes: one file, the environment, and what each role makes of it.
    .target(
      name: "Settings",
      dependencies: [
        "QueueRole", "Ledger", "WorkerRole", "GatewayRole", "CallTransport", "RerankdProtocol",
        "RerankdClient", "ZeroMQ", "Scoring", "EmbeddedEngine", "RemoteEngine", "Observability",
        "AccessKeys", "GuardedFiles", yams,
      ],
      swiftSettings: strict),

    // Processes: they read configuration and put the parts together.
    .executableTarget(
      name: "rerankd",
      dependencies: [
        "QueueRole", "Ledger", "WorkerRole", "GatewayRole", "CallTransport", "RerankdProtocol",
        "RerankdClient", "ZeroMQ", "Scoring", "Tokenization", "EmbeddedEngine", "RemoteEngine",
        "AccessKeys", "Settings", "Observability", argumentParser, coreMetrics, logging,
        serviceLifecycle, subprocess, systemPackage, tracing, unixSignals,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "rerankctl",
      dependencies: [
        "AccessKeys", "RerankdClient", "RerankdProtocol", "ZeroMQ", "Evaluation", "EmbeddedEngine",
        "Scoring", "CallTransport", "Ledger", "Settings", "RemoteEngine", "GatewayRole",
        "QueueRole", "Observability", argumentParser, asyncHTTPClient, crypto, logging, nioCore,
        nioHTTP1, protobuf,
      ],
      swiftSettings: strict),

    // Tests.
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(
      name: "GuardedFilesTests", dependencies: ["GuardedFiles", "TestSupport"],
      swiftSettings: strict),
    .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ"], swiftSettings: strict),
    .testTarget(
      name: "AccessKeysTests", dependencies: ["AccessKeys", "TestSupport", "ZeroMQ"],
      swiftSettings: strict),
    .testTarget(
      name: "RerankdProtocolTests", dependencies: ["RerankdProtocol", protobuf],
      swiftSettings: strict),
    .target(
      name: "WireTestSupport", dependencies: ["ZeroMQ", "RerankdProtocol"],
      path: "Tests/WireTestSupport", swiftSettings: strict),
    .testTarget(
      name: "CallTransportTests",
      dependencies: ["CallTransport", "RerankdProtocol", "ZeroMQ", "WireTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ObservabilityTests",
      dependencies: [
        "Observability", "TraceContext", "TestSupport", asyncHTTPClient, coreMetrics, hummingbird,
        hummingbirdCore, logging, nioCore, nioHTTP1, serviceLifecycle, tracing,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Tokenization", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ScoringTests", dependencies: ["Scoring", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "EvaluationTests", dependencies: ["Evaluation", "TestSupport"], exclude: ["Golden"],
      swiftSettings: strict),
    .testTarget(
      name: "EmbeddedEngineTests",
      dependencies: ["EmbeddedEngine", "CEngineKernels", "Scoring", "Tokenization", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "RemoteEngineTests",
      dependencies: [
        "RemoteEngine", "Scoring", "TestSupport", asyncHTTPClient, logging, nioCore, nioHTTP1,
        nioPosix, nioSSL,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "LedgerTests", dependencies: ["Ledger", "RerankdProtocol", "TestSupport", grdb],
      swiftSettings: strict),
    .testTarget(
      name: "QueueRoleTests",
      dependencies: [
        "QueueRole", "AccessKeys", "ZeroMQ", "Ledger", "RerankdProtocol", "CallTransport",
        "TestSupport", logging, protobuf,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "WorkerRoleTests",
      dependencies: [
        "WorkerRole", "CallTransport", "RerankdProtocol", "Scoring", "TestSupport",
        "WireTestSupport", "ZeroMQ", logging, protobuf, serviceLifecycle,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "RerankdClientTests",
      dependencies: [
        "CallTransport", "RerankdClient", "RerankdProtocol", "ZeroMQ", "WireTestSupport", protobuf,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "GatewayRoleTests",
      dependencies: [
        "GatewayRole", "Observability", "RerankdClient", "RerankdProtocol", "Scoring",
        "TestSupport", "TraceContext", asyncHTTPClient, coreMetrics, httpTypes, logging, nioCore,
        nioHTTP1, protobuf, tracing,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "SettingsTests",
      dependencies: [
        "Settings", "QueueRole", "Ledger", "WorkerRole", "GatewayRole", "EmbeddedEngine",
        "RemoteEngine", "Scoring", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "rerankdTests",
      dependencies: [
        "rerankd", "QueueRole", "Ledger", "GatewayRole", "Settings", argumentParser,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "rerankctlTests",
      dependencies: [
        "rerankctl", "EmbeddedEngine", "Evaluation", "RerankdProtocol", "TestSupport",
        argumentParser, protobuf,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "SystemTests",
      dependencies: [
        "AccessKeys", "CallTransport", "RerankdClient", "RerankdProtocol", "Ledger",
        "Observability", "ZeroMQ", "TestSupport", crypto, protobuf,
      ],
      exclude: ["Python"], swiftSettings: strict),

    // The queue under faults, from seeds: a disk that forgets, the world around the queue, and the
    // command that runs many.
    .target(
      name: "CFaultVFS", path: "Tests/Simulation/CFaultVFS",
      cSettings: [.unsafeFlags(["-O2"])], linkerSettings: [.linkedLibrary("sqlite3")]),
    .target(
      name: "Simulation",
      dependencies: ["CFaultVFS", "QueueRole", "Ledger", "RerankdProtocol", grdb, protobuf],
      path: "Tests/Simulation/World", swiftSettings: strict),
    .executableTarget(
      name: "simulate", dependencies: ["Simulation", argumentParser],
      path: "Tests/Simulation/Driver", swiftSettings: strict),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation"], swiftSettings: strict),

    // Hostile bytes for all that reads what comes from outside.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "EmbeddedEngine", "GatewayRole", "QueueRole", "RerankdProtocol", "Scoring", "Tokenization",
        protobuf,
      ],
      path: "Tests/Fuzz/Targets", swiftSettings: strict),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], swiftSettings: strict),

    // The load generator of Tests/Benchmarks/queue.
    .executableTarget(
      name: "queue-bench",
      dependencies: [
        "RerankdClient", "RerankdProtocol", "CallTransport", "ZeroMQ", "WorkerRole", "Scoring",
        argumentParser, logging,
      ],
      path: "Tests/Benchmarks/queue/Driver", swiftSettings: strict),
    // Pairs a CPU-second of the embedded engine, for Tests/Benchmarks/engine.
    .executableTarget(
      name: "engine-bench", dependencies: ["EmbeddedEngine", "Scoring"],
      path: "Tests/Benchmarks/engine/Driver", swiftSettings: strict),
    // What sharing a job's beginning gains with a decoder, for Tests/Benchmarks/decoder.
    .executableTarget(
      name: "decoder-bench", dependencies: ["EmbeddedEngine", "Scoring"],
      path: "Tests/Benchmarks/decoder/Driver", swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)

// It calls libFuzzer, which is only there where Tests/Fuzz/run builds it.
if Context.environment["RERANKD_FUZZ"] != nil {
  package.targets += [
    .target(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
    .executableTarget(
      name: "rerankd-fuzz", dependencies: ["CFuzzer", "FuzzTargets"], path: "Tests/Fuzz/Driver",
      swiftSettings: strict),
  ]
}
