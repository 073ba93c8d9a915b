@testable import MFRCore

/// A set of three replicas in step at sequence 100, and the time, for tests to change.
struct Scenario {
  var view = SetView()
  var set: ReplicaSet
  var now = Moment(1_000_000_000_000)

  init(level: UInt32 = 2, limits: Limits = Limits()) {
    set = ReplicaSet(limits: limits)
    view.level = level
    for place in 0..<UInt32(16) {
      var replica = ReplicaView(index: ReplicaIndex(place))
      if place <= level {
        replica.state = .running
        replica.live = true
        replica.unshared = true
        replica.pid = ProcessID(Int32(1000 + place))
        replica.sequence = LaneSequence(100)
        replica.generation = 1
      }
      view.replicas.append(replica)
    }
    _ = plan()
  }

  subscript(place: Int) -> ReplicaView {
    get { view.replicas[place] }
    set { view.replicas[place] = newValue }
  }

  mutating func plan(
    after delay: Duration = .milliseconds(1), in surroundings: Surroundings = Surroundings()
  ) -> [Action] {
    now = now + delay
    let actions = set.plan(view, now: now, in: surroundings)
    for case .noteInStep(let index) in actions { self[Int(index.rawValue)].marks.insert(.inStep) }
    return actions
  }

  /// The replica is a zombie with an open slot at its sequence, or none.
  mutating func die(_ place: Int, signal: Int32 = 9, rule: CommitRule? = nil, written: UInt64? = nil) {
    self[place].state = .dead
    self[place].death = ReplicaView.Death(
      exited: false, value: signal, at: now,
      facts: SettlementFacts(
        claimed: rule != nil, begun: true, call: 1, rule: rule ?? .none, written: written))
  }

  /// What the anchor and settlement make of a dead replica.
  mutating func bury(_ place: Int) {
    let generation = self[place].generation
    self[place] = ReplicaView(index: ReplicaIndex(UInt32(place)))
    self[place].generation = generation
  }

  mutating func fault(_ place: Int, signal: Int32 = 11, code: Int32 = 1, at sequence: UInt64 = 100) {
    self[place].state = .faulted
    self[place].sequence = LaneSequence(sequence)
    self[place].fault = ReplicaView.Fault(
      signal: signal, code: code, address: 0x1000, sequence: LaneSequence(sequence), at: now)
  }

  mutating func diverge(_ place: Int, output: UInt64, at sequence: UInt64 = 100) {
    self[place].state = .diverged
    self[place].sequence = LaneSequence(sequence)
    self[place].divergence = ReplicaView.Divergence(
      sequence: LaneSequence(sequence), identity: 1, output: output, call: 1)
  }
}

extension Moment {
  func before(_ time: Duration) -> Moment {
    Moment(rawValue - UInt64(time.components.seconds * 1_000_000_000 + time.components.attoseconds / 1_000_000_000))
  }
}

extension [Action] {
  var grants: [ReplicaIndex] { compactMap { if case .grant(let index) = $0 { index } else { nil } } }
  var kills: [ReplicaIndex] { compactMap { if case .kill(let index, _) = $0 { index } else { nil } } }
  var wakes: [ReplicaIndex] { compactMap { if case .wake(let index) = $0 { index } else { nil } } }
  var clones: [(place: ReplicaIndex, donor: ReplicaIndex)] {
    compactMap { if case .clone(let place, let donor) = $0 { (place, donor) } else { nil } }
  }
  var verdicts: [ReplicaIndex: Verdict] {
    var found: [ReplicaIndex: Verdict] = [:]
    for case .verdict(let index, let verdict) in self { found[index] = verdict }
    return found
  }
  var events: [Event] { compactMap { if case .report(let event) = $0 { event } else { nil } } }
  func position(_ test: (Action) -> Bool) -> Int { firstIndex(where: test) ?? -1 }
}
