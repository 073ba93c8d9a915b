/// Making good what was lost: one new replica at a time, more slowly when they keep dying.
public struct Growth: Sendable {
  static let earlyLimit = 10
  /// A replica that dies younger than this has not done its work: something in it keeps failing.
  static let infancy = Duration.milliseconds(50)
  /// The clone that is under way.
  struct Order: Sendable {
    var place: ReplicaIndex
    var donor: ReplicaIndex
    var donorGeneration: UInt32
    var nudge: Duration
    var nudged: Moment
  }
  var order: Order?
  /// A place whose donor was seen dead before it had made the clone.
  var orphan: ReplicaSet.Life?
  private var early: [Moment] = []
  private var delay: Duration = .zero
  /// When replicas were lost that count against the limit.
  var counted: [Moment] = []
  /// Clones of a donor that died of themselves before they were in step, none having come into step since: the donor's
  /// memory may be broken where only a clone comes to it.
  var stillborn: [ReplicaSet.Life: Int] = [:]
  /// So many, and others are cloned; when there are enough of those, it is given up.
  static let stillbornLimit = 2
  /// When memory was last looked at, what was free, and who was there to take it.
  struct Weighing: Sendable {
    static let pause = Duration.milliseconds(900)
    static let shortest = Duration.milliseconds(50)
    /// From the verdict that one has to leave until what it held is free, for a gigabyte or two.
    static let relief = 0.25
    var at: Moment
    var free: UInt64
    var lives: Set<ReplicaSet.Life>
    /// When to look again.
    var due: Moment
  }
  var weighed: Weighing?
  var pausedUntil: Moment?
  /// Why growth rests, empty when it does not.
  public private(set) var reason = ""

  var donor: ReplicaIndex? { order?.donor }
  mutating func forget() { order = nil }

  /// A replica died that nobody had told to go.
  mutating func noteLoss(bornAt birth: Moment?, at death: Moment) {
    early.removeAll { death.since($0) > .seconds(10) }
    guard let birth, death.since(birth) < Self.infancy else {
      if let birth, death.since(birth) > .seconds(10) { calm() }
      return
    }
    early.append(death)
    if early.count > Self.earlyLimit {
      early.removeFirst(early.count - Self.earlyLimit)
      pause(from: death, because: "new replicas keep dying within 50 ms")
    }
  }

  mutating func pause(from moment: Moment, because text: String) {
    delay = min(max(delay * 2, .milliseconds(100)), .seconds(30))
    pausedUntil = moment + delay
    reason = text
  }

  mutating func calm() {
    delay = .zero
    early = []
    reason = ""
  }

  mutating func resumed() { reason = "" }

  /// A new replica is in step: nothing is short any more. What dies young is another matter.
  mutating func succeeded() { if early.count < Self.earlyLimit { calm() } }
}

extension ReplicaSet {
  mutating func grow(_ view: SetView) {
    watchOrder(view)
    if isUrgent(view) { return }
    guard growth.order == nil, !view.mayNotGrow, !view.halted, view.collapse == .none, view.execPid.rawValue == 0 else {
      return
    }
    let present = view.replicas.filter { $0.exists && $0.state != .dead && $0.state != .left && !isCondemned($0) }
    guard present.count < Int(min(view.level, 15)) + 1 else { return }
    if present.contains(where: { $0.state == .reserved || $0.state == .joining }) { return }
    if let until = growth.pausedUntil {
      if now < until {
        lookAgain(in: until.since(now))
        return
      }
      growth.pausedUntil = nil
      growth.resumed()
    }
    guard let donor = donor(view, present), let place = view.replicas.first(where: { !$0.exists }) else { return }
    if let memory = surroundings.memory(donor), memory.needed > memory.free {
      pauseGrowth(donor, because: Self.shortage(memory))
      return
    }
    growth.order = Growth.Order(
      place: place.index, donor: donor.index, donorGeneration: donor.generation, nudge: .milliseconds(1), nudged: now)
    actions.append(.clone(place.index, donor: donor.index))
    actions.append(.nudge(donor.index))
    lookAgain(in: .milliseconds(1))
  }

  /// A follower whose memory is its own; the leader only when there is no such follower, or when their clones keep dying.
  private func donor(_ view: SetView, _ present: [ReplicaView]) -> ReplicaView? {
    func rank(_ replica: ReplicaView) -> (Int, Int, UInt64) {
      let doubt = (growth.stillborn[Life(replica)] ?? 0) / Growth.stillbornLimit
      return (doubt, replica.index == view.leader ? 1 : 0, UInt64.max - replica.sequence.rawValue)
    }
    return present.filter { $0.live && $0.state == .running && $0.unshared }.min { rank($0) < rank($1) }
  }

  /// The process that a replica was cloned from, if it is still there.
  private func donor(of replica: ReplicaView, _ view: SetView) -> ReplicaView? {
    guard let donor = replica.donor.flatMap({ view[$0] }), donor.exists, donor.state != .dead else { return nil }
    // Its place may have been taken since.
    if let mine = replica.cloned, let its = donor.cloned, its > mine { return nil }
    return donor
  }

  /// A clone died before it was in step.
  mutating func noteStillborn(_ replica: ReplicaView, of cause: Event.Cause, _ view: SetView) {
    guard cause.isOwnDoing, let donor = donor(of: replica, view) else { return }
    growth.stillborn[Life(donor), default: 0] += 1
  }

  /// A clone is in step: nothing is wrong with its donor.
  mutating func noteBorn(_ replica: ReplicaView, _ view: SetView) {
    if let donor = donor(of: replica, view) { growth.stillborn[Life(donor)] = nil }
  }

  /// Gives up a replica whose clones die, when there are enough of another one's.
  mutating func giveUpBarren(_ view: inout SetView) {
    guard !growth.stillborn.isEmpty, view.level > 1, view.collapse == .none, view.execPid.rawValue == 0 else { return }
    let whole = view.replicas.filter {
      $0.takesPart && $0.state == .running && $0.unshared && inStep.contains(Life($0)) && !isCondemned($0)
    }
    guard whole.count > Int(min(view.level, 15)),
      let barren = whole.first(where: { growth.stillborn[Life($0)] ?? 0 >= Growth.stillbornLimit })
    else { return }
    kill(barren, Event.Cause(kind: "clones"), leaving: false, &view)
  }

  /// Looks after the clone that was asked for: repeats the nudge, gives up when nothing can come of it.
  private mutating func watchOrder(_ view: SetView) {
    // A coordinator before this one may have asked.
    if growth.order == nil, let place = view.replicas.first(where: { $0.state == .reserved && $0.pid.rawValue == 0 }) {
      let donor = view.replicas.first { $0.cloneRequested && $0.takesPart }
      guard let donor else {
        // Start-up clones without being asked: a donor that is at it has set the place's bit. The kernel writes the clone's pid
        // before it lets anything else happen to the donor: where that is dead and there is none at the next look, none comes.
        let isOrphan = growth.orphan == Life(place)
        if place.donor.flatMap({ view[$0] })?.state == .dead { growth.orphan = Life(place) }
        if place.live, !isOrphan, let seen = born[Life(place)], now.since(seen) < .seconds(1) {
          lookAgain(in: growth.orphan == nil ? .milliseconds(20) : .milliseconds(1))
        } else {
          actions.append(.abandonClone(place.index, donor: nil))
        }
        return
      }
      growth.order = Growth.Order(
        place: place.index, donor: donor.index, donorGeneration: donor.generation, nudge: .milliseconds(1), nudged: now)
    }
    guard let order = growth.order else { return }
    let donor = view[order.donor]
    guard let place = view[order.place], place.state == .reserved, place.pid.rawValue == 0 else {
      growth.order = nil
      // A donor gives the place back when the kernel refuses.
      if view[order.place]?.state == .free, let donor, donor.generation == order.donorGeneration,
        !donor.cloneRequested, donor.requestResult < 0
      {
        pauseGrowth(donor, because: Self.refusal(of: donor.requestResult))
      }
      return
    }
    if let donor, donor.takesPart, donor.generation == order.donorGeneration, !isCondemned(donor) {
      if donor.cloneRequested {
        let waited = now.since(order.nudged)
        if waited >= order.nudge {
          growth.order?.nudged = now
          growth.order?.nudge = min(order.nudge * 2, .milliseconds(100))
          actions.append(.nudge(order.donor))
        }
        lookAgain(in: order.nudge)
        return
      }
      if donor.requestResult >= 0, place.live || now.since(order.nudged) < .milliseconds(100) {
        lookAgain(in: .milliseconds(1))  // at it: a large process takes long to clone
        return
      }
      if donor.requestResult < 0 {
        pauseGrowth(donor, because: Self.refusal(of: donor.requestResult))
      }
    }
    actions.append(.abandonClone(order.place, donor: order.donor))
    growth.order = nil
    lookAgain(in: .milliseconds(1))
  }
}

extension ReplicaSet {
  /// Why no new replica is being made at the moment; empty when nothing holds it up.
  public func growthReason(_ view: SetView) -> String {
    guard view.halted else { return growth.reason }
    return "more than \(limits.respawns?.text ?? "the limit allows"); mfr-ctl restore starts again"
  }

  /// A duplicate less, before the kernel chooses whom to kill.
  mutating func shed(_ view: inout SetView) {
    if isUrgent(view) { return }
    if let weighed = growth.weighed, now < weighed.due {
      if weighed.due.since(weighed.at) < Growth.Weighing.pause { lookAgain(in: weighed.due.since(now)) }
      return
    }
    let parties = view.replicas.filter { $0.takesPart && $0.pid.rawValue != 0 && !isCondemned($0) }
    // First those that are not in step yet, then the highest place; never the leader.
    let surplus = parties.filter { $0.index != view.leader }
      .max { ($0.unshared ? 0 : 1, $0.index) < ($1.unshared ? 0 : 1, $1.index) }
    guard view.collapse == .none, view.execPid.rawValue == 0, let surplus, let leader = view[view.leader],
      leader.takesPart, let memory = surroundings.memory(leader)
    else {
      growth.weighed = Growth.Weighing(at: now, free: 0, lives: [], due: now + Growth.Weighing.pause)
      return
    }
    guard memory.free < memory.reserve + weigh(memory, parties) else { return }
    pauseGrowth(surplus, because: Self.shortage(memory))
    kill(surplus, Event.Cause(kind: "memory"), leaving: true, &view)
  }

  /// Bytes that will be gone before a replica that leaves has given back what it holds, as fast as they go now. Looks again
  /// the sooner, the nearer the end is. What a joiner takes was there when it was cloned.
  private mutating func weigh(_ memory: Surroundings.Memory, _ parties: [ReplicaView]) -> UInt64 {
    typealias Weighing = Growth.Weighing
    let lives = Set(parties.map(Life.init))
    let last = growth.weighed
    var now = Weighing(at: now, free: memory.free, lives: lives, due: now + Weighing.pause)
    defer { growth.weighed = now }
    guard let last, last.lives == lives, memory.free < last.free, !parties.contains(where: { $0.state == .joining })
    else {
      return 0
    }
    let taken = Double(last.free - memory.free)
    let passed = now.at.since(last.at) / .seconds(1)
    guard passed > 0 else { return 0 }
    let left = Duration.seconds(min(Double(memory.free) * passed / taken, 3600))
    now.due = now.at + max(Weighing.shortest, min(left / 4, Weighing.pause))
    lookAgain(in: now.due.since(now.at))
    return UInt64(taken / passed * Weighing.relief)
  }

  private static func shortage(_ memory: Surroundings.Memory) -> String {
    "memory is short: a replica needs \(memory.needed >> 20) MB, \(memory.free >> 20) MB are free"
  }

  /// The user wants it tried again, now.
  public mutating func restore() { growth = Growth() }

  private mutating func pauseGrowth(_ donor: ReplicaView, because text: String) {
    growth.pause(from: now, because: text)
    lookAgain(in: growth.pausedUntil?.since(now) ?? .seconds(1))
    var event = Event("growth", donor, level: .error)
    event.text = text
    actions.append(.report(event))
  }

  private static func refusal(of result: Int64) -> String {
    switch result {
    case -11: "cloning failed: the limit of processes is reached"
    case -12: "cloning failed: no memory"
    default: "cloning failed with error \(-result)"
    }
  }

  mutating func countAgainstLimit(_ death: Moment, _ view: inout SetView) {
    guard let limit = limits.respawns else { return }
    growth.counted.removeAll { death.since($0) > limit.window }
    growth.counted.append(death)
    guard growth.counted.count > Int(limit.count) else { return }
    growth.counted = []
    view.halted = true
    actions.append(.halt)
    var event = Event("growth", level: .error)
    event.text = "more than \(limit.text); mfr-ctl restore starts again"
    actions.append(.report(event))
  }
}
