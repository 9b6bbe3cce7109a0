/// The section `up`: what `rerankd up` runs on its machine.
package struct UpSettings: Sendable, Equatable {
  /// Worker processes.
  package var workers = 1
  /// The most that `rerankctl workers scale` may ask for.
  package var workersMax = 256
  package var servesGateway = true
  /// A worker that ended so often before it had settled is said to fail over and over.
  package var crashesMax = 5

  init(_ section: ConfigurationSection) {
    section.count("workers", into: &workers, in: 0...1024)
    section.count("workers_max", into: &workersMax, in: 1...1024)
    section.flag("gateway", into: &servesGateway)
    section.count("crashes_max", into: &crashesMax, in: 1...1000)
    section.noting {
      if workers > workersMax {
        throw section.error("workers", "must not be above workers_max, \(workersMax)")
      }
    }
  }
}
