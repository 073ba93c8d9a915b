import Testing

@testable import MFRCore

@Suite("Faults, divergences, bids, collapse")
struct VerdictTests {
  // MARK: faults

  @Test("A fault waits until the others have come to it")
  func faultWaits() {
    var scenario = Scenario()
    scenario.fault(0)
    scenario[1].sequence = LaneSequence(90)
    scenario[1].parked = true
    scenario[2].sequence = LaneSequence(90)
    let actions = scenario.plan()
    #expect(actions.kills.isEmpty)
    #expect(actions.verdicts.isEmpty)
    #expect(actions.wakes == [ReplicaIndex(1)])
    #expect(scenario.set.wait == .microseconds(200))
    // Whoever computes on the way to it may take long.
    _ = scenario.plan(after: .seconds(60))
    #expect((scenario.set.wait ?? .zero) >= .milliseconds(10))
  }

  @Test("A fault that another replica has passed is that replica's own trouble", arguments: [101, 100] as [UInt64])
  func faultOfOne(sequence: UInt64) {
    var scenario = Scenario()
    scenario.fault(0)
    scenario[1].sequence = LaneSequence(sequence)
    if sequence == 100 { scenario[1].phase = .parked }
    scenario[2].sequence = LaneSequence(80)
    #expect(scenario.plan().kills == [ReplicaIndex(0)])
    scenario.die(0)
    let event = scenario.plan(after: .milliseconds(3)).events.first
    #expect(event?.cause == Event.Cause(kind: "fault", signal: 11, code: 1, address: 0x1000))
    #expect(event?.untilDecision == .milliseconds(4))  // from the fault, not from the death
  }

  @Test("A leader that makes its call has come past the place of another one's fault, however long the call takes")
  func faultBesideACall() {
    var scenario = Scenario(level: 1)
    scenario.fault(1)
    scenario[0].phase = .blocked  // still: of its last call
    #expect(scenario.plan().kills.isEmpty)
    let call = SlotView(state: .claimed, owner: ReplicaIndex(0), call: 1)
    scenario.view.slots[LaneSequence(100)] = call
    #expect(scenario.plan().kills == [ReplicaIndex(1)])
  }

  @Test("A fault that all reach is the guest's own")
  func faultOfAll() {
    var scenario = Scenario()
    for place in 0...2 { scenario.fault(place) }
    let actions = scenario.plan()
    #expect(actions.kills.isEmpty)
    #expect(Set(actions.verdicts.values) == [.own])
    #expect(actions.verdicts.count == 3)
  }

  @Test("Alone, a fault is the guest's own")
  func faultAlone() {
    var scenario = Scenario(level: 0)
    scenario.fault(0)
    #expect(scenario.plan().verdicts == [ReplicaIndex(0): .own])
  }

  @Test("Broken memory is nobody else's: no waiting for the others")
  func poison() {
    var scenario = Scenario()
    scenario.fault(0, signal: 7, code: 4)
    scenario[1].sequence = LaneSequence(10)
    #expect(scenario.plan().kills == [ReplicaIndex(0)])
    scenario.die(0)
    #expect(scenario.plan().events.first?.cause?.kind == "poison")
  }

  @Test("When all hit broken memory, one is kept")
  func poisonEverywhere() {
    var scenario = Scenario()
    for place in 0...2 { scenario.fault(place, signal: 7, code: 4) }
    let actions = scenario.plan()
    #expect(actions.kills.count == 2)
    #expect(actions.verdicts == [ReplicaIndex(0): .own])
  }

  @Test("A signal that somebody sent to one replica is that replica's failure, even if another got one as well")
  func sent() {
    var scenario = Scenario()
    scenario.fault(0, signal: 7, code: 0)
    scenario.fault(1, signal: 11, code: 1)
    scenario[2].sequence = LaneSequence(90)
    #expect(scenario.plan().kills == [ReplicaIndex(0)])
  }

  @Test("Sent to all at once, one of them goes on")
  func sentToAll() {
    var scenario = Scenario()
    for place in 0...2 { scenario.fault(place, signal: 7, code: 0) }
    let actions = scenario.plan()
    #expect(actions.kills.count == 2)
    #expect(actions.verdicts.count == 1)
  }

  private func poisonedJoiner(_ scenario: inout Scenario) {
    scenario.fault(2, signal: 7, code: 5)
    scenario[2].unshared = false
    scenario[2].generation += 1
    scenario[2].marks = []
    scenario[2].donor = ReplicaIndex(1)
  }

  @Test("A joiner with a broken page has it from its donor: both go, and one loss is to be made good")
  func inheritedPoison() {
    var scenario = Scenario()
    poisonedJoiner(&scenario)
    #expect(Set(scenario.plan().kills) == [ReplicaIndex(1), ReplicaIndex(2)])
    #expect(scenario.set.losses.count == 1)
  }

  @Test("A broken page that nobody else has whole is lived with")
  func lastPoison() {
    var scenario = Scenario()
    scenario.bury(0)
    scenario.view.leader = ReplicaIndex(1)
    poisonedJoiner(&scenario)
    let actions = scenario.plan()
    #expect(actions.kills.isEmpty)
    #expect(actions.verdicts == [ReplicaIndex(2): .own])
    #expect(actions.events.first?.level == .error)
  }

  // MARK: divergences

  @Test("With two, the leader is kept")
  func divergenceOfTwo() {
    var scenario = Scenario(level: 1)
    scenario[0].sequence = LaneSequence(105)
    scenario.diverge(1, output: 9)
    let actions = scenario.plan()
    #expect(actions.kills == [ReplicaIndex(1)])
    #expect(actions.contains(.count(.divergence)))
  }

  @Test("With three, a follower that differs alone goes")
  func divergentFollower() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(105)
    scenario[1].sequence = LaneSequence(102)
    scenario.diverge(2, output: 9)
    #expect(scenario.plan().kills == [ReplicaIndex(2)])
  }

  @Test("With three, no verdict before the third has come to the slot")
  func undecidedDivergence() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(105)
    scenario[1].sequence = LaneSequence(95)
    scenario[1].parked = true
    scenario.diverge(2, output: 9)
    let actions = scenario.plan()
    #expect(actions.kills.isEmpty)
    #expect(actions.wakes == [ReplicaIndex(1)])
  }

  @Test("A leader in the minority goes; when it is dead the lane goes on behind the slot, led by one of the others")
  func divergentLeader() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(105)
    scenario.diverge(1, output: 9)
    scenario.diverge(2, output: 9)
    #expect(scenario.plan().kills == [ReplicaIndex(0)])
    #expect(scenario.plan().grants.isEmpty)
    scenario.die(0)
    let actions = scenario.plan()
    let discarded = actions.position { $0 == .discardSlots(after: LaneSequence(99), through: LaneSequence(105)) }
    let granted = actions.position { if case .grant = $0 { true } else { false } }
    #expect(discarded >= 0)
    #expect(granted > discarded)
    #expect(actions.verdicts == [ReplicaIndex(1): .again, ReplicaIndex(2): .again])
  }

  @Test("A leader that was interrupted while it computed stays, also in the minority: the others went other ways")
  func otherWays() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(105)
    for place in 0...2 { scenario[place].way = UInt64(7 + place) }
    scenario.diverge(1, output: 9)
    scenario.diverge(2, output: 9)
    #expect(Set(scenario.plan().kills) == [ReplicaIndex(1), ReplicaIndex(2)])
  }

  @Test("Clones go the way of their donor: then the majority is right again")
  func sameWay() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(105)
    for place in 0...2 { scenario[place].way = 7 }
    scenario.diverge(1, output: 9)
    scenario.diverge(2, output: 9)
    #expect(scenario.plan().kills == [ReplicaIndex(0)])
  }

  @Test("Where only the bytes differed, the slots of the dead leader stay until one holds another call")
  func divergentOutput() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(105)
    scenario.diverge(1, output: 9)
    scenario.diverge(2, output: 9)
    let theirs = scenario[1].divergence
    scenario.view.slots[LaneSequence(100)] = SlotView(
      state: .done, owner: ReplicaIndex(0), call: theirs?.call ?? 0, identity: theirs?.identity ?? 0, output: 1)
    _ = scenario.plan()
    scenario.die(0)
    let actions = scenario.plan()
    #expect(actions.verdicts == [ReplicaIndex(1): .go, ReplicaIndex(2): .go])
    #expect(!actions.contains { if case .discardSlots = $0 { true } else { false } })
    scenario.bury(0)
    scenario.view.leader = ReplicaIndex(1)
    for place in 1...2 { scenario[place].verdictGiven = false }
    scenario.diverge(1, output: 9, at: 103)
    scenario.diverge(2, output: 9, at: 103)
    scenario.view.slots[LaneSequence(103)] = SlotView(state: .done, owner: ReplicaIndex(0), call: 999)
    let later = scenario.plan()
    #expect(later.contains(.discardSlots(after: LaneSequence(102), through: LaneSequence(105))))
    #expect(later.verdicts == [ReplicaIndex(1): .again, ReplicaIndex(2): .again])
  }

  @Test("A coordinator that starts anew in the middle of that ends it the same way")
  func healedByNextCoordinator() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(105)
    scenario.diverge(1, output: 9)
    scenario.diverge(2, output: 9)
    scenario.set = ReplicaSet()
    scenario.die(0)
    let actions = scenario.plan()
    #expect(actions.contains(.discardSlots(after: LaneSequence(99), through: LaneSequence(105))))
    #expect(actions.verdicts == [ReplicaIndex(1): .again, ReplicaIndex(2): .again])
    #expect(actions.grants.count == 1)
  }

  // MARK: bids

  @Test("A bid at a free slot moves the grant")
  func bid() {
    var scenario = Scenario()
    scenario[1].bids = true
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    let actions = scenario.plan()
    #expect(actions.grants == [ReplicaIndex(1)])
    #expect(actions.contains(.count(.bid)))
    #expect(actions.contains(.dismissBid(ReplicaIndex(1))))
    #expect(actions.wakes == [ReplicaIndex(1)])
  }

  @Test("A bid at a slot that the leader has claimed, or is past, is dismissed")
  func lateBid() {
    var scenario = Scenario()
    scenario[1].bids = true
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .claimed, owner: ReplicaIndex(0), call: 0)
    #expect(scenario.plan().grants.isEmpty)
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    scenario[0].sequence = LaneSequence(101)
    let actions = scenario.plan()
    #expect(actions.grants.isEmpty)
    #expect(actions.contains(.dismissBid(ReplicaIndex(1))))
  }

  @Test("A joiner's bid is dismissed: its memory is not its own yet")
  func joinersBid() {
    var scenario = Scenario()
    scenario[1].bids = true
    scenario[1].state = .joining
    scenario[1].unshared = false
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    #expect(scenario.plan().grants.isEmpty)
  }

  // MARK: collapse and exec

  @Test("Collapse: the others go, and when they are gone the one that asked is told")
  func collapse() {
    var scenario = Scenario()
    scenario.view.collapse = .asked
    scenario.view.collapseBy = ReplicaIndex(1)
    scenario.view.reason = "threads"
    var actions = scenario.plan()
    #expect(Set(actions.kills) == [ReplicaIndex(0), ReplicaIndex(2)])
    #expect(!actions.contains(.alone(ReplicaIndex(1))))
    scenario.die(0)
    scenario.die(2)
    actions = scenario.plan()
    #expect(actions.events.filter { $0.name == "left" }.count == 2)
    scenario.bury(0)
    scenario.bury(2)
    actions = scenario.plan()
    #expect(actions.contains(.alone(ReplicaIndex(1))))
    #expect(actions.events.first { $0.name == "collapse" }?.text == "threads")
    #expect(actions.clones.isEmpty)
  }

  @Test("Collapse gives up a clone that is under way")
  func collapseAbandonsClone() {
    var scenario = Scenario()
    scenario.bury(2)
    _ = scenario.plan()
    scenario[2].state = .reserved
    scenario[2].generation = 2
    scenario[1].cloneRequested = true
    scenario.view.collapse = .asked
    scenario.view.collapseBy = ReplicaIndex(0)
    let actions = scenario.plan()
    #expect(actions.contains(.abandonClone(ReplicaIndex(2), donor: ReplicaIndex(1))))
    #expect(actions.kills == [ReplicaIndex(1)])
  }

  @Test("A new image sends the old ones away, then the set grows again")
  func exec() {
    var scenario = Scenario()
    scenario.view.execPid = scenario[0].pid
    #expect(scenario.plan().isEmpty)
    scenario.view.execArrived = true
    #expect(Set(scenario.plan().kills) == [ReplicaIndex(1), ReplicaIndex(2)])
    scenario.bury(1)
    scenario.bury(2)
    let actions = scenario.plan()
    #expect(actions.contains(.execOver))
    #expect(actions.clones.first?.donor == ReplicaIndex(0))
  }

  @Test("State words")
  func protection() {
    var scenario = Scenario()
    #expect(Protection.of(scenario.view) == Protection(state: .protected, reason: ""))
    scenario[2].unshared = false
    scenario[2].state = .joining
    #expect(Protection.of(scenario.view).state == .degraded)
    scenario.bury(2)
    scenario.bury(1)
    #expect(Protection.of(scenario.view, growth: "resting").state == .unprotected)
    #expect(Protection.of(scenario.view, growth: "resting").reason.contains("resting"))
    scenario.view.level = 0
    #expect(Protection.of(scenario.view) == Protection(state: .unprotected, reason: "level 0 was asked for"))
    scenario.view.mode = .native
    scenario.view.reason = "it has threads"
    #expect(Protection.of(scenario.view).reason == "it has threads")
  }
}
