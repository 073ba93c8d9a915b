import Testing

@testable import MFRCore

@Suite("Deaths, succession, growth")
struct DeathTests {
  @Test("A set in step is left alone")
  func quiet() {
    var scenario = Scenario()
    #expect(scenario.plan().isEmpty)
    #expect(scenario.set.wait == nil)
  }

  @Test("A dead leader's slot is settled before the follower that is furthest gets the grant")
  func succession() {
    var scenario = Scenario()
    scenario[2].sequence = LaneSequence(90)
    scenario.die(0, rule: .countOut, written: 7)
    let actions = scenario.plan()
    // Counted first: a coordinator that dies in between finds the death again.
    #expect(actions.first == .noteLoss(ReplicaIndex(0), at: scenario.now.before(.milliseconds(1))))
    #expect(actions.dropFirst().first == .settle(ReplicaIndex(0), .done(7)))
    #expect(actions.grants == [ReplicaIndex(1)])
    #expect(actions.contains(.count(.failover)))
    #expect(Set(actions.wakes) == [ReplicaIndex(1), ReplicaIndex(2)])
    let event = actions.events.first
    #expect(event?.name == "lost")
    #expect(event?.settlement == .done(7))
    #expect(event?.cause == Event.Cause(kind: "signal", signal: 9))
    #expect(event?.untilDecision == .milliseconds(1))
  }

  @Test("A dead follower moves no grant")
  func follower() {
    var scenario = Scenario()
    scenario.die(1)
    let actions = scenario.plan()
    #expect(actions.contains(.settle(ReplicaIndex(1), .nothing)))
    #expect(actions.grants.isEmpty)
  }

  @Test("Succession passes over replicas that wait for a verdict")
  func faultedHeir() {
    var scenario = Scenario()
    scenario.fault(1, at: 120)
    scenario.die(0)
    #expect(scenario.plan().grants == [ReplicaIndex(2)])
  }

  @Test("A loss is made good from a follower, one at a time, and told with its time")
  func respawn() {
    var scenario = Scenario()
    scenario.die(0)
    scenario.view.leader = ReplicaIndex(0)
    var actions = scenario.plan()
    scenario.bury(0)
    scenario.view.leader = ReplicaIndex(1)
    actions = actions.clones.isEmpty ? scenario.plan() : actions
    #expect(actions.clones.count == 1)
    #expect(actions.clones.first?.donor == ReplicaIndex(2))

    let place = Int(actions.clones.first?.place.rawValue ?? 0)
    scenario[place].state = .reserved
    scenario[place].generation += 1
    scenario[2].cloneRequested = true
    #expect(scenario.plan().clones.isEmpty)

    scenario[2].cloneRequested = false
    scenario[place].state = .joining
    scenario[place].pid = ProcessID(2000)
    scenario[place].live = true
    scenario[place].sequence = LaneSequence(100)
    #expect(scenario.plan().contains(.unshare(ReplicaIndex(UInt32(place)))))

    scenario[place].state = .running
    scenario[place].unshared = true
    actions = scenario.plan(after: .milliseconds(4))
    #expect(actions.contains(.count(.respawn)))
    #expect(actions.events.first?.name == "in_step")
    #expect(actions.events.first.flatMap(\.untilInStep).map { $0 >= .milliseconds(5) } == true)
    #expect(scenario.plan().isEmpty)
  }

  @Test(
    "A replica that is killed for a fault counts as lost from then on: its successor may be in step before it is dead")
  func successorBeforeDeath() {
    var scenario = Scenario()
    scenario.fault(0)
    scenario[1].sequence = LaneSequence(101)
    scenario[2].sequence = LaneSequence(101)
    #expect(scenario.plan().kills == [ReplicaIndex(0)])
    scenario[3].state = .running
    scenario[3].live = true
    scenario[3].unshared = true
    scenario[3].generation = 1
    scenario[3].pid = ProcessID(2000)
    scenario[3].sequence = LaneSequence(101)
    #expect(scenario.plan().contains(.count(.respawn)))
    scenario.die(0)
    _ = scenario.plan()
    #expect(scenario.set.losses.isEmpty)
  }

  @Test("A level is raised from the leader when there is no follower")
  func raised() {
    var scenario = Scenario(level: 0)
    scenario.view.level = 1
    #expect(scenario.plan().clones.first?.donor == ReplicaIndex(0))
  }

  @Test("A lowered level sends the highest followers away, and their deaths are no losses")
  func lowered() {
    var scenario = Scenario()
    scenario.view.level = 1
    #expect(scenario.plan() == [.kill(ReplicaIndex(2), leaving: true)])
    scenario.die(2)
    let actions = scenario.plan()
    #expect(actions.events.map(\.name) == ["left"])
    #expect(actions.events.first?.cause?.kind == "level")
    #expect(actions.clones.isEmpty)
  }

  @Test("The leader stays when the level goes to 0, whatever its place")
  func loweredToNone() {
    var scenario = Scenario()
    scenario.view.leader = ReplicaIndex(2)
    scenario.view.level = 0
    #expect(Set(scenario.plan().kills) == [ReplicaIndex(0), ReplicaIndex(1)])
  }

  @Test("A donor that sits in a call is nudged again, less and less often")
  func nudging() {
    var scenario = Scenario()
    scenario.bury(2)
    #expect(scenario.plan().contains(.nudge(ReplicaIndex(1))))
    scenario[2].state = .reserved
    scenario[2].generation = 2
    scenario[1].cloneRequested = true
    #expect(scenario.plan(after: .milliseconds(2)).contains(.nudge(ReplicaIndex(1))))
    #expect(scenario.plan(after: .milliseconds(1)).isEmpty)
    #expect(scenario.plan(after: .milliseconds(2)).contains(.nudge(ReplicaIndex(1))))
  }

  @Test("The reservation of a donor that died is given up, and another donor is asked")
  func deadDonor() {
    var scenario = Scenario()
    scenario.bury(2)
    _ = scenario.plan()
    scenario[2].state = .reserved
    scenario[2].generation = 2
    scenario[1].cloneRequested = true
    scenario.die(1)
    #expect(scenario.plan().contains(.abandonClone(ReplicaIndex(2), donor: ReplicaIndex(1))))
    scenario.bury(1)
    scenario[2].state = .free
    #expect(scenario.plan().clones.first?.donor == ReplicaIndex(0))
  }

  @Test("A clone that the kernel refuses is tried again later, and the reason is told")
  func refusedClone() {
    var scenario = Scenario()
    scenario.bury(2)
    _ = scenario.plan()
    scenario[2].state = .reserved
    scenario[2].generation = 2
    scenario[1].requestResult = -11
    let actions = scenario.plan()
    #expect(actions.contains(.abandonClone(ReplicaIndex(2), donor: ReplicaIndex(1))))
    #expect(scenario.set.growthReason(scenario.view).contains("processes"))
    scenario.bury(2)
    #expect(scenario.plan().clones.isEmpty)
    #expect(scenario.set.wait != nil)
    #expect(scenario.plan(after: .milliseconds(200)).clones.count == 1)
    // The donor may have given the place back before we look.
    scenario[1].requestResult = -12
    #expect(scenario.plan().clones.isEmpty)
    #expect(scenario.set.growthReason(scenario.view) == "cloning failed: no memory")
  }

  @Test("Replicas that keep dying young are not made at full speed")
  func dyingYoung() {
    var scenario = Scenario()
    var clones = 0
    scenario.bury(2)
    for _ in 0..<40 {
      let actions = scenario.plan()
      clones += actions.clones.count
      guard let place = actions.clones.first.map({ Int($0.place.rawValue) }) else { continue }
      scenario[place].state = .joining
      scenario[place].live = true
      scenario[place].generation += 1
      scenario[place].pid = ProcessID(3000)
      _ = scenario.plan()
      scenario.die(place, signal: 11)
      _ = scenario.plan()
      scenario.bury(place)
    }
    #expect(clones > 5)
    #expect(clones < 20)
    #expect(!scenario.set.growthReason(scenario.view).isEmpty)
  }

  @Test("After the guest has ended deaths are settled, and nothing is repaired")
  func ended() {
    var scenario = Scenario()
    scenario.view.ended = true
    scenario.die(0)
    let actions = scenario.plan()
    #expect(actions.contains(.settle(ReplicaIndex(0), .nothing)))
    #expect(actions.grants.isEmpty)
    #expect(actions.events.map(\.name) == ["left"])
  }

  @Test("A coordinator that starts anew gives up a reservation nobody works on")
  func strandedReservation() {
    var scenario = Scenario()
    scenario.bury(2)
    scenario[2].state = .reserved
    scenario.set = ReplicaSet()
    #expect(scenario.plan().contains(.abandonClone(ReplicaIndex(2), donor: nil)))
  }

  @Test("A clone whose donor died before it was made is given up at the next look, not before; one that is made, never")
  func orphanedReservation() {
    for isMade in [false, true] {
      var scenario = Scenario()
      scenario.bury(2)
      scenario[2].state = .reserved
      scenario[2].live = true
      scenario[2].donor = ReplicaIndex(0)
      scenario.set = ReplicaSet()
      let abandons = Action.abandonClone(ReplicaIndex(2), donor: nil)
      #expect(!scenario.plan().contains(abandons))
      scenario.die(0)
      #expect(!scenario.plan().contains(abandons))
      scenario.bury(0)
      if isMade { scenario[2].pid = ProcessID(3000) }
      #expect(scenario.plan().contains(abandons) == !isMade)
    }
  }

  @Test("A coordinator that starts anew goes on counting: what is owed, what is counted, who was told to go")
  func successor() {
    var scenario = Scenario()
    scenario.bury(2)
    let loss = scenario.now
    scenario.view.losses = [loss]
    scenario.set = ReplicaSet()
    _ = scenario.plan()
    scenario[2].state = .running
    scenario[2].live = true
    scenario[2].unshared = true
    scenario[2].pid = ProcessID(2000)
    scenario[2].sequence = LaneSequence(100)
    scenario[2].generation = 2
    let actions = scenario.plan(after: .milliseconds(4))
    #expect(actions.contains(.count(.respawn)))
    #expect(actions.events.first?.untilInStep == .milliseconds(5))

    for (place, meaning) in [(0, ReplicaView.Marks.lost), (1, .leaves)] {
      scenario.set = ReplicaSet()
      _ = scenario.plan()
      scenario[place].marks.insert(meaning)
      scenario.die(place)
      let actions = scenario.plan()
      #expect(!actions.contains { if case .noteLoss = $0 { true } else { false } })
      #expect(actions.events.first?.name == (meaning == .leaves ? "left" : "lost"))
      scenario.bury(place)
    }
  }

  @Test("One that came into step while there was no coordinator is told by the next one, and makes good what is owed")
  func inStepInBetween() {
    var scenario = Scenario()
    scenario.view.losses = [scenario.now]
    scenario[2].marks = []
    scenario.set = ReplicaSet()
    #expect(scenario.plan().contains(.count(.respawn)))
    scenario.view.losses = []
    scenario.set = ReplicaSet()
    #expect(scenario.plan().isEmpty)
    // One that nobody knew to be in step was none of those that are counted.
    scenario[2].marks = []
    scenario.set = ReplicaSet()
    scenario.die(2)
    let actions = scenario.plan()
    #expect(!actions.contains { if case .noteLoss = $0 { true } else { false } })
  }

  @Test("What a lowered level leaves unmade is owed no more")
  func writtenOff() {
    var scenario = Scenario()
    scenario.die(2)
    _ = scenario.plan()
    scenario.bury(2)
    scenario.view.level = 1
    #expect(scenario.plan().contains(.forgetLosses))
    #expect(scenario.set.losses.isEmpty)
  }
}
