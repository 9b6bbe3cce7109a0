import AccessKeys
import RerankdProtocol
import Testing
import ZeroMQ

@testable import QueueRole

/// Keys for tests, as a list has them.
enum SampleKeys {
  static func caller(
    _ role: AccessRole, name: String = "key", tenants: TenantScope? = nil
  ) throws -> Caller {
    Caller(
      key: try AuthorizedKey(
        name: name, role: role, publicKey: try CurveKeyPair.generate().publicKey, tenants: tenants))
  }

  static func list(_ callers: Caller...) throws -> AccessPolicy {
    var keys = AuthorizedKeys()
    for case let key? in callers.map(\.key) { try keys.add(key) }
    return .listed(keys)
  }
}

extension Caller {
  /// What libzmq says of its messages.
  var userID: String? { key?.publicKey.z85 }
}

@Suite struct AccessCallerTests {
  @Test func rolesMayCallWhatTheyAreFor() throws {
    let producer: Set<RerankdProtocol.Method> = [
      .submit, .rerank, .get, .cancel, .listModels, .receive,
    ]
    for method in RerankdProtocol.Method.allCases {
      #expect(try SampleKeys.caller(.producer).mayCall(method) == producer.contains(method))
      #expect(try SampleKeys.caller(.worker).mayCall(method) == (method == .attach))
      #expect(try SampleKeys.caller(.control).mayCall(method))
      #expect(Caller.anyone.mayCall(method))
    }
  }

  @Test func jobOfAnotherTenantIsRefusedByItself() throws {
    let caller = try SampleKeys.caller(.producer, tenants: .only(["mine"]))
    let jobs = [NewJob(tenant: "mine"), NewJob(tenant: "theirs")].map(Submission.valid)
    guard case .submit(Sample.call, let scoped) = try caller.scoped(.submit(Sample.call, jobs))
    else {
      Issue.record("no submit")
      return
    }
    #expect(scoped[0].job?.tenant == "mine")
    #expect(scoped[1].error?.details.reason == "TENANT_DENIED")
    guard
      case .bare(let bare, excerpt: _) = caller.scoped(bare: .bare(jobs[1], excerpt: [])),
      case .rerank(_, let rerank, _) = try caller.scoped(
        .rerank(Sample.call, jobs[1], cancelWithCall: false))
    else {
      Issue.record("another input")
      return
    }
    #expect(bare.error?.code == .permissionDenied && rerank.error?.code == .permissionDenied)
    // What was refused before is told as it was.
    let invalid = Submission.refused(CallError(.invalidArgument, "no"))
    guard case .bare(let same, excerpt: _) = caller.scoped(bare: .bare(invalid, excerpt: [])) else {
      return
    }
    #expect(same.error?.code == .invalidArgument)
  }

  @Test func keysAndChannelsOfOtherTenantsAreDenied() throws {
    let caller = try SampleKeys.caller(.producer, tenants: .only(["mine"]))
    for input in [
      .receive(Sample.call, tenant: "theirs", channel: "c"),
      .get(
        Sample.call, .key(tenant: "theirs", key: "k"), withRequest: false, withAttempts: false),
    ] as [QueueInput] {
      let error = #expect(throws: CallError.self) { try caller.scoped(input) }
      #expect(error?.details.reason == "TENANT_DENIED")
    }
    let id = JobID(shard: 0, sequence: 1)
    guard case .cancel(_, id, of: .only(["mine"])) = try caller.scoped(.cancel(Sample.call, id))
    else {
      Issue.record("the cancel has no tenants")
      return
    }
  }

  @Test func workerIdsOfAKeyBeginWithItsName() throws {
    let request = AttachRequest(
      workerID: "w", models: [], creditJobs: 1, creditBytes: 1, held: [], version: "", host: "",
      processID: 1)
    let attach = QueueInput.attach(Sample.call, request)
    guard
      case .attach(_, let keyed) = try SampleKeys.caller(.worker, name: "gpu").scoped(attach),
      case .attach(_, let open) = try Caller.anyone.scoped(attach)
    else {
      Issue.record("no attach")
      return
    }
    #expect(keyed.workerID == "gpu/w" && keyed.keyName == "gpu")
    #expect(open.workerID == "w" && open.keyName == nil)
  }

  @Test func onlyListedKeysAreSomebody() throws {
    let one = try SampleKeys.caller(.worker)
    let policy = try SampleKeys.list(one)
    #expect(policy.caller(one.userID) == one)
    #expect(policy.caller(try CurveKeyPair.generate().publicKey.z85) == nil)
    #expect(policy.caller("") == nil && policy.caller(nil) == nil)
    #expect(AccessPolicy.open.caller(nil) == .anyone)
  }
}
