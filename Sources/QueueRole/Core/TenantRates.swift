/// How fast each tenant may submit: the generic cell rate algorithm, which needs one time a tenant.
///
/// A job moves its tenant's time on by a minute over the limit, beginning now at the earliest; one
/// that would move it more than a minute ahead is refused. Tenants whose time has come are those
/// that have all of their minute, and are forgotten.
struct TenantRates {
  /// When the tenant's jobs so far would have been due at the limit's steady rate.
  private var dueNs: [String: Int64] = [:]
  private var countAfterSweep = 0

  private static let windowNs: Int64 = 60_000_000_000
  /// Fewer are not worth a sweep.
  private static let sweepCountMin = 1_024

  var tenantsKept: Int { dueNs.count }

  /// - Parameter limit: jobs a minute.
  /// - Returns: nil when the job may come in, else after how long one may.
  func waitMs(_ tenant: String, limit: Int64, nowMs: Int64) -> Int64? {
    let (nowNs, stepNs) = (nowMs * 1_000_000, Self.windowNs / limit)
    let dueNs = max(dueNs[tenant] ?? nowNs, nowNs) + stepNs
    let excessNs = dueNs - nowNs - Self.windowNs
    return excessNs > 0 ? (excessNs + 999_999) / 1_000_000 : nil
  }

  /// Counts a job that came in.
  mutating func count(_ tenant: String, limit: Int64, nowMs: Int64) {
    let nowNs = nowMs * 1_000_000
    dueNs[tenant] = max(dueNs[tenant] ?? nowNs, nowNs) + Self.windowNs / limit
    if dueNs.count > max(2 * countAfterSweep, Self.sweepCountMin) {
      dueNs = dueNs.filter { $0.value > nowNs }
      countAfterSweep = dueNs.count
    }
  }
}
