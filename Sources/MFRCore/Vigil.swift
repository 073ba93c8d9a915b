/// Watches for replicas that have stopped making progress while it is their turn.
///
/// Who computes, or waits for input, is at work: a replica is only watched while others are further than it, or wait
/// for the slot that it has claimed. What is counted is time in which it was seen to stand still, so that a
/// coordinator which was itself held up, or a machine that slept, accuses nobody.
struct Vigil: Sendable {
  /// While the leader has no room left in the ring the guest stands still: then less patience.
  static let patienceInStall = Duration.seconds(2)
  /// At most this much is counted between two looks.
  static let longestLook = Duration.milliseconds(1500)
  /// A follower that is behind and asleep for so long is woken: its leader may not be there to do it.
  static let nap = Duration.milliseconds(500)
  /// Processor time is asked for no more often than this, or a quarter of `hangAfter`.
  static let samplePause = Duration.milliseconds(500)
  static let rememberedSequences = 64

  /// What a replica owes the others.
  enum Debt: Sendable {
    /// Others are further, and nothing holds it up.
    case behind
    /// The slot that it has claimed.
    case claimed
    /// A clone of itself.
    case clone
  }

  struct Standing: Sendable {
    var sequence: LaneSequence
    /// What it uses before it is in step goes into pages, not into the guest's work.
    var isJoining: Bool
    var debt: Debt?
    /// For how long it has been seen to stand still in debt.
    var still = Duration.zero
    /// For how long it has been behind and asleep.
    var asleep = Duration.zero
    /// Processor time when it was first asked for here, and last.
    var first: Surroundings.Vital?
    var last: Surroundings.Vital?
    var sampled: Moment?
    /// What it had used when it was first seen at the call to which it has come; nil: not yet. What it uses while it waits
    /// there is for its pages, or somebody has woken it.
    var needed: Duration?

    init(_ replica: ReplicaView) {
      sequence = replica.sequence
      isJoining = replica.state == .joining
    }

    var used: Duration { (last?.total ?? .zero) - (first?.total ?? .zero) }
    var usedAsUser: Duration { (last?.user ?? .zero) - (first?.user ?? .zero) }
  }

  var standings: [ReplicaSet.Life: Standing] = [:]
  /// Processor time that replicas have been seen to need from one call to the next, where it was much: a guest that
  /// computes long does so in every replica, one after the other if there are few processors.
  var needs: [LaneSequence: Duration] = [:]
  var lastLook: Moment?

  mutating func note(_ need: Duration, at sequence: LaneSequence) {
    guard need > .zero else { return }
    needs[sequence] = max(needs[sequence] ?? .zero, need)
    if needs.count > Self.rememberedSequences, let oldest = needs.keys.min() { needs[oldest] = nil }
  }
}

extension ReplicaSet {
  /// The guest is stopped: who stands still meanwhile is not late.
  public mutating func pause() { vigil = Vigil() }

  mutating func watchForHangs(_ view: inout SetView) {
    if view.someoneDied { return }
    let passed = vigil.lastLook.map { min(now.since($0), Vigil.longestLook) } ?? .zero
    vigil.lastLook = now
    let parties = view.replicas.filter { $0.takesPart && $0.pid.rawValue != 0 && !isCondemned($0) }
    guard parties.count > 1, view.collapse == .none, view.execPid.rawValue == 0 else {
      vigil = Vigil()
      return
    }
    let lives = Set(parties.map(Life.init))
    vigil.standings = vigil.standings.filter { lives.contains($0.key) }
    let furthest = parties.map(\.sequence).max() ?? LaneSequence(0)
    if parties.allSatisfy({ $0.sequence == furthest }) { vigil.needs = vigil.needs.filter { $0.key == furthest } }

    for replica in parties where replica.state == .running || replica.state == .joining {
      let debt = debt(of: replica, among: parties, view)
      var standing = vigil.standings[Life(replica)] ?? Vigil.Standing(replica)
      if standing.sequence != replica.sequence || standing.isJoining != (replica.state == .joining) {
        if !standing.isJoining { vigil.note(standing.needed ?? standing.used, at: standing.sequence) }
        standing = Vigil.Standing(replica)
      }
      if replica.phase == .parked, standing.needed == nil {
        standing.needed = standing.isJoining ? .zero : standing.used
      }
      if standing.debt != debt { standing.still = .zero }
      standing.debt = debt
      if replica.phase == .guest || debt != nil { sample(replica, &standing) }
      rouse(replica, &standing, behind: replica.sequence < furthest, after: passed)
      if debt != nil {
        standing.still += passed
        let patience = patience(with: replica, among: parties, view)
        if let patience, standing.still >= patience {
          if hangs(replica, standing, among: parties, view) {
            kill(replica, Event.Cause(kind: "hang"), leaving: false, &view)
          }
        }
        lookAgain(in: max(.milliseconds(10), min((patience ?? .seconds(4)) / 4, .seconds(1))))
      }
      vigil.standings[Life(replica)] = standing
    }
  }

  private func debt(of replica: ReplicaView, among parties: [ReplicaView], _ view: SetView) -> Vigil.Debt? {
    let others = parties.filter { $0.index != replica.index }
    if replica.index == view.leader, let slot = view.slots[replica.sequence] {
      // They may be on their way to the slot for as long as the guest computes.
      let isAwaited = others.contains { $0.sequence == replica.sequence && hasCome($0) }
      if slot.state == .claimed, slot.owner == replica.index { return isAwaited ? .claimed : nil }
      // Where nobody may overtake it - it has files mapped - they wait for it to come to the call to which they have come.
      // If it waits for room, it is the last of them who is late.
      let waitsForRoom = view.stalled && others.contains { $0.sequence < replica.sequence }
      if slot.state == .empty, replica.phase == .guest, isAwaited, !waitsForRoom { return .behind }
    }
    // Nobody has woken it yet: `rouse` does.
    if !replica.parked, others.contains(where: { isFurther($0, than: replica) }) { return .behind }
    return replica.cloneRequested && growth.donor == replica.index ? .clone : nil
  }

  /// Whether it waits at a call: also when it is awake there for a moment.
  private func hasCome(_ replica: ReplicaView) -> Bool {
    if replica.phase == .parked { return true }
    guard let standing = vigil.standings[Life(replica)] else { return false }
    return standing.sequence == replica.sequence && standing.needed != nil
  }

  /// Those who stopped at a fault between two calls wait for the others to come to it.
  private func isFurther(_ other: ReplicaView, than replica: ReplicaView) -> Bool {
    other.sequence > replica.sequence
      || other.sequence == replica.sequence && other.state == .faulted && replica.phase == .guest
  }

  private mutating func sample(_ replica: ReplicaView, _ standing: inout Vigil.Standing) {
    let pause = min(Vigil.samplePause, (limits.hangAfter ?? .seconds(2)) / 4)
    if let hangAfter = limits.hangAfter, hangAfter < .seconds(4) { lookAgain(in: pause) }
    if let sampled = standing.sampled, now.since(sampled) < pause { return }
    // The first look at a place only notes that it is there: most replicas are gone from it at the next.
    defer { standing.sampled = now }
    guard standing.sampled != nil, let vital = surroundings.vital(replica) else { return }
    standing.first = standing.first ?? vital
    standing.last = vital
    // Whoever waits in the kernel inside its call does not hang: what it uses there adds up to nothing. One that computes is
    // never seen asleep, however little of the processor it gets.
    if standing.debt == .claimed, vital.state == .sleeps { standing.first = vital }
  }

  private mutating func rouse(
    _ replica: ReplicaView, _ standing: inout Vigil.Standing, behind: Bool, after passed: Duration
  ) {
    guard behind, replica.parked else {
      standing.asleep = .zero
      return
    }
    standing.asleep += passed
    if standing.asleep >= Vigil.nap {
      standing.asleep = .zero
      actions.append(.wake(replica.index))
    }
    lookAgain(in: Vigil.nap)
  }

  /// nil: none is ever taken to hang.
  private func patience(with replica: ReplicaView, among parties: [ReplicaView], _ view: SetView) -> Duration? {
    let isLast = parties.allSatisfy { $0.index == view.leader || $0.sequence >= replica.sequence }
    if view.stalled, replica.index != view.leader, isLast {
      return min(limits.hangAfter ?? Vigil.patienceInStall, Vigil.patienceInStall)
    }
    return limits.hangAfter
  }

  /// Whether one that has stood still for long does not come to its call any more.
  private func hangs(
    _ replica: ReplicaView, _ standing: Vigil.Standing, among parties: [ReplicaView], _ view: SetView
  ) -> Bool {
    guard let debt = standing.debt else { return false }
    guard let vital = surroundings.vital(replica) else { return debt == .behind }
    if vital.state == .stopped {
      // All of them: somebody has stopped the program.
      return parties.contains { $0.index != replica.index && surroundings.vital($0)?.state != .stopped }
    }
    switch debt {
    case .clone: return false
    case .claimed:
      // Waiting in the kernel is what it claimed the slot for; between claim and result it has next to nothing to
      // compute.
      return standing.usedAsUser > (limits.hangAfter ?? .zero) / 2
    case .behind:
      if view.stalled || vital.state == .sleeps { return true }
      // It computes. So did the others, those that have come there, and it may have had less of the processor.
      let there = parties.filter { $0.index != replica.index && $0.sequence == replica.sequence }
      let need = there.compactMap { vigil.standings[Life($0)]?.needed }.max() ?? .zero
      return standing.used > max(need, vigil.needs[replica.sequence] ?? .zero) + (limits.hangAfter ?? .zero)
    }
  }
}
