/// How many jobs the ledger keeps for each tenant, ended ones too, and the bytes of their bodies. The
/// file's `tenants` table says the same with every commit, so that no opening counts all jobs.
struct StoredJobs {
  struct Count: Equatable {
    var jobs = 0
    var bytes: Int64 = 0
  }

  private(set) var byTenant: [String: Count] = [:]
  private(set) var all = Count()
  /// Tenants of whom as many jobs are kept, or bytes of them, as may be.
  private(set) var fullTenants: Set<String> = []
  let tenantMost: Count
  /// Tenants whose count the file does not have yet.
  private var changed: Set<String> = []

  init(_ byTenant: [String: Count], tenantMost: Count) {
    self.byTenant = byTenant
    self.tenantMost = tenantMost
    for (tenant, count) in byTenant {
      all.jobs += count.jobs
      all.bytes += count.bytes
      if isFull(count) { fullTenants.insert(tenant) }
    }
  }

  private func isFull(_ count: Count) -> Bool {
    count.jobs >= tenantMost.jobs || count.bytes >= tenantMost.bytes
  }

  mutating func add(_ tenant: String, bytes: Int64) { change(tenant, jobs: 1, bytes: bytes) }
  mutating func remove(_ tenant: String, bytes: Int64) { change(tenant, jobs: -1, bytes: -bytes) }

  private mutating func change(_ tenant: String, jobs: Int, bytes: Int64) {
    all.jobs += jobs
    all.bytes += bytes
    changed.insert(tenant)
    var count = byTenant[tenant] ?? Count()
    count.jobs += jobs
    count.bytes += bytes
    byTenant[tenant] = count.jobs > 0 ? count : nil
    if count.jobs > 0, isFull(count) {
      fullTenants.insert(tenant)
    } else {
      fullTenants.remove(tenant)
    }
  }

  /// What the transaction under way has to write: nil where a tenant has no jobs any more.
  mutating func takeChanges() -> [(tenant: String, count: Count?)] {
    defer { changed.removeAll(keepingCapacity: true) }
    return changed.map { ($0, byTenant[$0]) }
  }

  /// Whether the tenant has more than an equal part of what may be kept for all.
  func isOverItsShare(_ tenant: String, of most: Count) -> (jobs: Bool, bytes: Bool) {
    let count = byTenant[tenant] ?? Count()
    let tenants = max(byTenant.count, 1)
    return (count.jobs > most.jobs / tenants, count.bytes > most.bytes / Int64(tenants))
  }
}
