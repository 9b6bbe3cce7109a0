import Testing

@testable import Settings

@Suite struct ReloadPlanTests {
  private func settings(_ text: String) throws -> [Setting] {
    try DaemonConfiguration(file: "r.yaml", text: text).settings
  }

  private func plan(
    _ former: String, _ new: String, _ role: ConfigurationRole
  ) throws -> ReloadPlan {
    try ReloadPlan(from: settings(former), to: settings(new), role: role)
  }

  @Test func aQueueTakesLimitsAtOnceAndSocketsAtItsNextStart() throws {
    let plan = try plan(
      "queue: { admission: { live_jobs_max: 10 } }",
      "queue: { admission: { live_jobs_max: 20 }, sockets: { peers_max: 7 }, retries: { cap: 90s } }",
      .queue)
    #expect(plan.applied.map(\.key) == ["queue.admission.live_jobs_max", "queue.retries.cap"])
    #expect(plan.needsRestart.map(\.description) == ["queue.sockets.peers_max: 4096 → 7"])
  }

  @Test func theSameSettingsChangeNothing() throws {
    for role in ConfigurationRole.allCases {
      let plan = try plan("up: { workers: 2 }", "up: { workers: 2 }", role)
      #expect(plan.applied.isEmpty && plan.needsRestart.isEmpty)
    }
  }

  @Test func aRoleHearsOnlyOfWhatItReads() throws {
    let new = "gateway: { listen: \"127.0.0.1:1\" }\nup: { workers: 3 }\nlog: { level: debug }\n"
    #expect(try plan("", new, .queue).applied.map(\.key) == ["log.level"])
    #expect(try plan("", new, .queue).needsRestart == [])
    #expect(try plan("", new, .gateway).needsRestart.map(\.key) == ["gateway.listen"])
    #expect(try plan("", new, .supervisor).applied.map(\.key) == ["up.workers", "log.level"])
  }

  @Test func limitsOfABackendAreTheQueuesAndItsAddressTheWorkers() throws {
    func file(_ url: String, _ rate: Int) -> String {
      """
      models: [{ name: m, backend: hub }]
      backends: [{ name: hub, base_url: "https://\(url)", requests_per_minute: \(rate) }]
      """
    }
    let queue = try plan(file("a", 1), file("b", 2), .queue)
    #expect(queue.applied.map(\.key) == ["backends[0].requests_per_minute"])
    #expect(queue.needsRestart == [])
    let worker = try plan(file("a", 1), file("b", 2), .worker)
    #expect(worker.applied == [])
    #expect(worker.needsRestart.map(\.key) == ["backends[0].base_url"])
  }

  @Test func aModelThatIsAddedWaitsForARestart() throws {
    let plan = try plan("models: [{ name: a }]", "models: [{ name: a }, { name: b }]", .queue)
    #expect(plan.applied == [])
    #expect(plan.needsRestart.contains { $0.key == "models[1].name" && $0.value == "b" })
  }
}
