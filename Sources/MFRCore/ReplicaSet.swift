/// The coordinator's mind: what one replica set looks like goes in, what to do comes out.
///
/// Everything that matters lies in the buffer. What is kept here only saves work, spaces attempts and times
/// events: a coordinator that starts anew, with an empty value, decides the same.
public struct ReplicaSet: Sendable {
  /// One index, one life.
  struct Life: Hashable, Sendable {
    var index: ReplicaIndex
    var generation: UInt32
    init(_ replica: ReplicaView) {
      index = replica.index
      generation = replica.generation
    }
  }
  struct Condemned: Sendable {
    var cause: Event.Cause
    var leaving: Bool
    var at: Moment
  }

  /// Replicas that were killed and are not dead yet.
  var condemned: [Life: Condemned] = [:]
  /// Deaths that no new replica has made good yet, oldest first; as the buffer has them.
  var losses: [Moment] = []
  var born: [Life: Moment] = [:]
  var inStep: Set<Life> = []
  /// No joiners have been looked at yet.
  private var first = true
  var vigil = Vigil()
  var growth = Growth()
  var folding = Folding()
  /// A divergence in which the leader is wrong: what is to be done when it is dead.
  var heal: Heal?
  /// The last slot of a leader that was wrong and is dead, as long as others may still come to its slots.
  var ghost: LaneSequence?
  /// Divergences and faults that have been counted.
  var counted: [Life: LaneSequence] = [:]

  // One round's working state.
  var actions: [Action] = []
  var now = Moment(0)
  var surroundings = Surroundings()
  /// When to look again though nobody wakes us; nil: never.
  public private(set) var wait: Duration?

  let limits: Limits

  public init(limits: Limits = Limits()) { self.limits = limits }

  /// Decides about one view of the set. Afterwards `wait` says when to look again.
  public mutating func plan(_ view: SetView, now: Moment, in surroundings: Surroundings = Surroundings()) -> [Action] {
    actions = []
    self.surroundings = surroundings
    wait = nil
    self.now = now
    var view = view
    if first { losses = view.losses }
    forgetOldLives(view)
    settleDeaths(&view)
    if view.ended || view.ending || view.mode != .lane { return actions }
    electAfterDeath(&view)
    followExec(&view)
    followCollapse(&view)
    lowerLevel(&view)
    watchForHangs(&view)
    judgeFaults(&view)
    judgeDivergences(&view)
    answerBids(&view)
    shed(&view)
    admitJoiners(view)
    giveUpBarren(&view)
    grow(view)
    foldMemory(view)
    repeatKills(view)
    return actions
  }

  /// Others wait for what has been decided in this round: what asks the kernel for more comes in the next one.
  mutating func isUrgent(_ view: SetView) -> Bool {
    let isAwaited = actions.contains {
      switch $0 {
      case .kill, .verdict, .grant: true
      default: false
      }
    }
    guard isAwaited || view.someoneDied else { return false }
    lookAgain(in: .zero)
    return true
  }

  mutating func lookAgain(in delay: Duration) {
    wait = min(wait ?? delay, delay)
  }

  private mutating func forgetOldLives(_ view: SetView) {
    let lives = Set(view.replicas.filter(\.exists).map(Life.init))
    condemned = condemned.filter { lives.contains($0.key) }
    born = born.filter { lives.contains($0.key) }
    inStep.formIntersection(lives)
    counted = counted.filter { lives.contains($0.key) }
    folding.asked = folding.asked.filter { lives.contains($0.key) }
    growth.stillborn = growth.stillborn.filter { lives.contains($0.key) }
    for replica in view.replicas where replica.exists && born[Life(replica)] == nil { born[Life(replica)] = now }
  }

  func isCondemned(_ replica: ReplicaView) -> Bool { condemned[Life(replica)] != nil }

  /// Kills a replica. It no longer takes part in this round.
  mutating func kill(_ replica: ReplicaView, _ cause: Event.Cause, leaving: Bool, _ view: inout SetView) {
    if !isCondemned(replica) {
      condemned[Life(replica)] = Condemned(cause: cause, leaving: leaving, at: now)
      actions.append(.kill(replica.index, leaving: leaving))
      if !leaving {
        noteLoss(replica)
        if !cause.isFromOutside { countAgainstLimit(now, &view) }
      }
    }
    view.change(replica.index) { $0.state = .left }
  }

  /// Whether it has been told that it is in step, by this coordinator or an earlier one.
  private func wasInStep(_ replica: ReplicaView) -> Bool {
    replica.marks.contains(.inStep) || inStep.contains(Life(replica))
  }

  /// A replica that was in step is lost, and has to be made good.
  private mutating func noteLoss(_ replica: ReplicaView, at moment: Moment? = nil) {
    guard wasInStep(replica), !replica.marks.contains(.lost) else { return }
    losses.append(moment ?? now)
    if losses.count > 64 { losses.removeFirst() }
    actions.append(.noteLoss(replica.index, at: moment ?? now))
  }

  /// A kill is repeated when the death does not show: its first sending may have gone to a place without a pid.
  private mutating func repeatKills(_ view: SetView) {
    for replica in view.replicas where replica.exists && replica.state != .dead {
      guard let entry = condemned[Life(replica)] else { continue }
      if now.since(entry.at) > .milliseconds(5) {
        condemned[Life(replica)]?.at = now
        actions.append(.kill(replica.index, leaving: entry.leaving))
      }
      lookAgain(in: .milliseconds(5))
    }
  }

  // MARK: deaths

  private mutating func settleDeaths(_ view: inout SetView) {
    for replica in view.replicas {
      guard replica.state == .dead, let death = replica.death else { continue }
      let settlement = Settlement.decide(death.facts)
      let entry = condemned[Life(replica)]
      // Without a lane the guest ends by itself, when and how it wants to.
      let byItself = view.mode == .native && death.exited
      let leaving = view.ended || entry?.leaving == true || entry == nil && replica.marks.contains(.leaves) || byItself
      // Counted first: once it is settled, the anchor clears its place.
      if !leaving, entry == nil { noteLoss(replica, at: death.at) }
      actions.append(.settle(replica.index, settlement))
      view.change(replica.index) { $0.live = false }
      // Nobody is left to go on: the guest has lost what it had.
      let fatal = !leaving && (view.ending || view.mode != .lane)
      var event = Event(leaving ? "left" : "lost", replica, level: leaving ? .info : fatal ? .error : .warning)
      event.cause = entry?.cause ?? cause(of: death, replica)
      event.settlement = settlement
      if death.facts.claimed { event.call = death.facts.call }
      event.untilDecision = now.since(begin(of: death, replica))
      if !leaving, !wasInStep(replica) {
        event.text = "before it was in step"
        noteStillborn(replica, of: event.cause ?? cause(of: death, replica), view)
      }
      actions.append(.report(event))
      if settlement == .unknown {
        var event = Event("unsettled", replica, level: .error)
        event.call = death.facts.call
        event.text = "whether the call had happened could not be found out; it is repeated\(death.facts.account)"
        actions.append(.report(event))
      }
      if !leaving {
        // One that had come into step and is then killed from outside says nothing against its successors,
        // nor does one whose memory was broken.
        let bad = entry.map { !$0.cause.isFromOutside } ?? (death.exited || !wasInStep(replica))
        growth.noteLoss(bornAt: bad ? born[Life(replica)] : nil, at: death.at)
        if bad, entry == nil { countAgainstLimit(death.at, &view) }
      }
      if view.leader == replica.index { view.lostLeader = replica }
      view.someoneDied = true
    }
  }

  /// When it stopped: it may have waited at a fault until it was judged.
  private func begin(of death: ReplicaView.Death, _ replica: ReplicaView) -> Moment {
    guard let fault = replica.fault, condemned[Life(replica)]?.cause == Self.cause(of: fault), let stopped = fault.at
    else { return death.at }
    return min(stopped, death.at)
  }

  private func cause(of death: ReplicaView.Death, _ replica: ReplicaView) -> Event.Cause {
    if death.exited { return Event.Cause(kind: "exit", status: death.value) }
    if let fault = replica.fault, fault.sequence == replica.sequence, fault.signal == death.value {
      return Self.cause(of: fault)
    }
    return Event.Cause(kind: "signal", signal: death.value)
  }

  static func cause(of fault: ReplicaView.Fault) -> Event.Cause {
    Event.Cause(
      kind: fault.isHardware ? "poison" : "fault", signal: fault.signal, code: fault.code, address: fault.address)
  }

  private mutating func electAfterDeath(_ view: inout SetView) {
    guard view.someoneDied || view[view.leader]?.takesPart != true else { return }
    finishHeal(&view)
    if view[view.leader]?.takesPart != true, view.execPid.rawValue == 0 || view.lostLeader != nil,
      let heir = Selection.heir(view.replicas.filter { !isCondemned($0) })
    {
      move(to: heir, &view)
      actions.append(.count(.failover))
      actions.append(.report(Event("lead", heir)))
    }
    for replica in view.replicas where replica.takesPart { actions.append(.wake(replica.index)) }
  }

  mutating func move(to replica: ReplicaView, _ view: inout SetView) {
    actions.append(.grant(replica.index))
    view.leader = replica.index
  }

  // MARK: exec, collapse, level

  /// One replica has become another program: the others, which still are the old one, go.
  private mutating func followExec(_ view: inout SetView) {
    guard view.execPid.rawValue != 0, view.execArrived else { return }
    let others = view.replicas.filter { $0.exists && $0.pid != view.execPid }
    if others.isEmpty {
      if let survivor = view.replicas.first(where: { $0.pid == view.execPid }), survivor.index != view.leader {
        move(to: survivor, &view)
      }
      actions.append(.execOver)
      view.execPid = ProcessID(0)
      return
    }
    dismiss(others, Event.Cause(kind: "exec"), &view)
  }

  private mutating func followCollapse(_ view: inout SetView) {
    guard view.collapse == .asked, let survivor = view[view.collapseBy] else { return }
    let others = view.replicas.filter { $0.exists && $0.index != survivor.index }
    if !others.isEmpty {
      dismiss(others, Event.Cause(kind: "collapse"), &view)
      return
    }
    if view.leader != survivor.index { move(to: survivor, &view) }
    actions.append(.count(.collapse))
    var event = Event("collapse", survivor, level: .warning)
    event.text = view.reason
    actions.append(.report(event))
    actions.append(.alone(survivor.index))
    view.collapse = .alone
  }

  private mutating func dismiss(_ replicas: [ReplicaView], _ cause: Event.Cause, _ view: inout SetView) {
    let unborn = replicas.filter { $0.state == .reserved && $0.pid.rawValue == 0 }
    for replica in replicas where replica.state != .dead && !unborn.contains(where: { $0.index == replica.index }) {
      kill(replica, cause, leaving: true, &view)
    }
    // One of those that go may be making it right now; only when all of them are gone nobody does.
    if unborn.count == replicas.count {
      for replica in unborn {
        actions.append(.abandonClone(replica.index, donor: growth.donor))
        view.change(replica.index) { $0.state = .free }
      }
      growth.forget()
    }
    lookAgain(in: .milliseconds(1))
  }

  private mutating func lowerLevel(_ view: inout SetView) {
    guard view.collapse == .none, view.execPid.rawValue == 0 else { return }
    var surplus = view.replicas.filter { $0.takesPart && $0.state != .reserved && !isCondemned($0) }
    // Who goes first: not yet in step, then the highest place; never the leader.
    surplus.sort { ($0.unshared ? 0 : 1, $0.index) > ($1.unshared ? 0 : 1, $1.index) }
    // A leader that is about to be killed still holds the grant, but is none of those who stay.
    let leads = surplus.contains { $0.index == view.leader }
    surplus.removeAll { $0.index == view.leader }
    for replica in surplus.prefix(max(0, surplus.count - Int(min(view.level, 15)) - (leads ? 0 : 1))) {
      kill(replica, Event.Cause(kind: "level"), leaving: true, &view)
    }
  }

  // MARK: bids

  private mutating func answerBids(_ view: inout SetView) {
    let bidders = view.replicas.filter { $0.bids && $0.exists }
    guard !bidders.isEmpty else { return }
    if view.collapse == .none, let winner = Selection.winner(of: bidders.filter { !isCondemned($0) }, in: view) {
      move(to: winner, &view)
      actions.append(.count(.bid))
      var event = Event("lead", winner)
      event.text = "bid"
      actions.append(.report(event))
    }
    for bidder in bidders {
      actions.append(.dismissBid(bidder.index))
      actions.append(.wake(bidder.index))
    }
  }

  // MARK: joiners

  private mutating func admitJoiners(_ view: SetView) {
    defer { first = false }
    for replica in view.replicas where replica.takesPart && !isCondemned(replica) {
      if replica.state == .joining, !replica.unshared {
        if !replica.unshareRequested {
          actions.append(.unshare(replica.index))
        } else if replica.index == view.leader {
          actions.append(.nudge(replica.index))  // a leader that sleeps in a call does not get on with it
        }
        lookAgain(in: .milliseconds(20))
      }
      guard replica.state == .running, replica.unshared, inStep.insert(Life(replica)).inserted,
        !replica.marks.contains(.inStep)
      else { continue }
      actions.append(.noteInStep(replica.index))
      // The first replica of a set is in step by itself.
      if replica.generation <= 1 && replica.index.rawValue == 0 { continue }
      var event = Event("in_step", replica)
      event.sinceClone = replica.cloned.map(now.since)
      growth.succeeded()
      noteBorn(replica, view)
      if !losses.isEmpty {
        event.untilInStep = now.since(losses.removeFirst())
        actions.append(.count(.respawn))
      }
      actions.append(.report(event))
    }
    // The level was lowered meanwhile: nothing is owed any more.
    let whole = view.replicas.filter { $0.state == .running && $0.unshared && $0.live && !isCondemned($0) }
    if !losses.isEmpty, whole.count > Int(min(view.level, 15)), condemned.isEmpty,
      !view.replicas.contains(where: { $0.state == .dead || $0.state == .joining || $0.state == .reserved })
    {
      losses = []
      actions.append(.forgetLosses)
    }
  }
}

extension SetView {
  mutating func change(_ index: ReplicaIndex, _ body: (inout ReplicaView) -> Void) {
    guard let place = replicas.firstIndex(where: { $0.index == index }) else { return }
    body(&replicas[place])
  }
}
