/// The jobs of one model that wait for a worker: tenants in turn, one job each; within a tenant by
/// priority, which waiting outweighs in time, then by submission.
struct ReadyQueue {
  /// One tenant's ready jobs.
  final class Lane {
    fileprivate var heap = LazyHeap<Entry>()
    fileprivate var liveCount = 0
    fileprivate var isInRing = false
    fileprivate let tenant: Tenant

    fileprivate init(tenant: Tenant) {
      self.tenant = tenant
    }
  }

  /// A job in its lane. The key never changes while the job waits: ready since, less what its
  /// priority is worth. Whatever waits long enough therefore comes before any later job of a higher
  /// priority.
  struct Entry: Comparable {
    var key: Int64
    var job: Job
    fileprivate var version: UInt64

    fileprivate init(key: Int64, job: Job) {
      self.key = key
      self.job = job
      version = job.readyVersion
    }

    static func < (left: Entry, right: Entry) -> Bool {
      left.key != right.key ? left.key < right.key : left.job.id < right.job.id
    }

    static func == (left: Entry, right: Entry) -> Bool {
      left.key == right.key && left.job.id == right.job.id
    }

    /// A job that was taken, and is ready again, has another entry.
    fileprivate var isLive: Bool {
      job.readyVersion == version && job.readyKey != nil && job.phase.isReady
    }
  }

  private var lanes: [ObjectIdentifier: Lane] = [:]
  private var ring = Fifo<Lane>()

  /// Tenants that have ready jobs here.
  var laneCount: Int { lanes.count }
  /// Lanes in the ring, those that emptied without a turn included.
  var ringCount: Int { ring.count }

  /// `job.readyKey` is set.
  mutating func push(_ job: Job) {
    guard let key = job.readyKey else { return }
    let identifier = ObjectIdentifier(job.tenant)
    let lane = lanes[identifier] ?? Lane(tenant: job.tenant)
    lanes[identifier] = lane
    lane.liveCount += 1
    lane.heap.push(Entry(key: key, job: job), isLive: \.isLive)
    if !lane.isInRing { enter(lane) }
  }

  /// The next tenant's lane, which leaves the ring until `putBack`, and its first job.
  mutating func takeLane() -> (lane: Lane, job: Job)? {
    while let lane = ring.popFirst() {
      lane.isInRing = false
      while let entry = lane.heap.top {
        if entry.isLive { return (lane, entry.job) }
        lane.heap.pop()
      }
    }
    return nil
  }

  /// Removes the first job of a lane that was taken.
  mutating func removeFirst(of lane: Lane) {
    lane.heap.pop()
    countDown(lane)
  }

  /// The lane's turn is over: the others come first.
  mutating func putBack(_ lane: Lane) {
    if lane.liveCount > 0 { enter(lane) }
  }

  /// A job that is in here ended before its turn.
  mutating func forget(_ job: Job) {
    guard let lane = lanes[ObjectIdentifier(job.tenant)] else { return }
    countDown(lane)
  }

  private mutating func enter(_ lane: Lane) {
    lane.isInRing = true
    ring.append(lane)
    // Lanes that emptied without a turn stay in the ring; a worker may never come to pass them.
    if ring.count > 2 * lanes.count + 64 {
      var live = Fifo<Lane>()
      while let lane = ring.popFirst() {
        if lane.liveCount > 0 { live.append(lane) } else { lane.isInRing = false }
      }
      ring = live
    }
  }

  private mutating func countDown(_ lane: Lane) {
    lane.liveCount -= 1
    if lane.liveCount == 0 { lanes[ObjectIdentifier(lane.tenant)] = nil }
  }
}
