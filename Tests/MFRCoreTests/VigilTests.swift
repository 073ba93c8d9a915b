import Testing

@testable import MFRCore

@Suite("Replicas that hang")
struct VigilTests {
  /// What the kernel says about each replica, by place.
  private typealias Vitals = [UInt32: Surroundings.Vital]

  private static func vital(_ state: Surroundings.Vital.State, user: Duration = .zero) -> Surroundings.Vital {
    Surroundings.Vital(state: state, user: user, total: user)
  }

  private static func surroundings(_ vitals: Vitals) -> Surroundings {
    Surroundings(vital: { vitals[$0.index.rawValue] })
  }

  /// Looks once a second; the replicas that were killed.
  private func watch(
    _ scenario: inout Scenario, seconds: Int, _ vitals: (Int) -> [UInt32: Surroundings.Vital]
  ) -> Set<ReplicaIndex> {
    var killed: Set<ReplicaIndex> = []
    for second in 0..<seconds {
      let actions = scenario.plan(after: .seconds(1), in: Self.surroundings(vitals(second)))
      killed.formUnion(actions.kills)
    }
    return killed
  }

  @Test("A follower that sleeps while others are further is replaced, after its time and not before")
  func sleepingFollower() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(200)
    scenario[1].sequence = LaneSequence(200)
    let vitals: [UInt32: Surroundings.Vital] = [0: Self.vital(.sleeps), 1: Self.vital(.sleeps), 2: Self.vital(.sleeps)]
    #expect(watch(&scenario, seconds: 9) { _ in vitals } == [])
    #expect(watch(&scenario, seconds: 3) { _ in vitals } == [ReplicaIndex(2)])
  }

  @Test("A time that nobody has looked accuses nobody: a coordinator that was held up, a program that was stopped")
  func gaps() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(200)
    let vitals: [UInt32: Surroundings.Vital] = [0: Self.vital(.sleeps), 1: Self.vital(.sleeps), 2: Self.vital(.sleeps)]
    for _ in 0..<3 {
      #expect(scenario.plan(after: .seconds(100), in: Self.surroundings(vitals)).kills.isEmpty)
    }
  }

  @Test("One that computes what the others have computed may take as long, in processor time, as they took and more")
  func computingFollower() {
    var scenario = Scenario()
    // All of them compute for a minute; the leader and replica 1 get most of the processor.
    var killed = watch(&scenario, seconds: 60) { second in
      [
        0: Self.vital(.runs, user: .seconds(second)), 1: Self.vital(.runs, user: .seconds(second)),
        2: Self.vital(.runs, user: .seconds(second / 2)),
      ]
    }
    #expect(killed == [])
    scenario[0].sequence = LaneSequence(150)
    scenario[1].sequence = LaneSequence(150)
    killed = watch(&scenario, seconds: 35) { second in
      [0: Self.vital(.sleeps), 1: Self.vital(.sleeps), 2: Self.vital(.runs, user: .seconds(30 + second))]
    }
    #expect(killed == [])
    // It goes on: what it does is not what the others did.
    killed = watch(&scenario, seconds: 10) { second in
      [0: Self.vital(.sleeps), 1: Self.vital(.sleeps), 2: Self.vital(.runs, user: .seconds(65 + second))]
    }
    #expect(killed == [ReplicaIndex(2)])
  }

  @Test("A guest that waits, or that computes in all replicas, is left alone for ever")
  func atWork() {
    var waiting = Scenario()
    waiting[0].phase = .blocked
    waiting.view.slots[LaneSequence(100)] = SlotView(state: .claimed, owner: ReplicaIndex(0), call: 0)
    for place in 1...2 { waiting[place].phase = .parked }
    let asleep: [UInt32: Surroundings.Vital] = [0: Self.vital(.sleeps), 1: Self.vital(.sleeps), 2: Self.vital(.sleeps)]
    #expect(watch(&waiting, seconds: 600) { _ in asleep } == [])

    var computing = Scenario()
    let killed = watch(&computing, seconds: 600) { second in
      let busy = Self.vital(.runs, user: .seconds(second))
      return [0: busy, 1: busy, 2: busy]
    }
    #expect(killed == [])
  }

  @Test(
    "A leader in a slot that it has claimed hangs when it is stopped or computes there; not when it is in the kernel",
    arguments: [
      (Surroundings.Vital.State.stopped, 0, true), (.runs, 1000, true), (.runs, 100, false), (.sleeps, 0, false),
    ])
  func claimed(state: Surroundings.Vital.State, userMilliseconds: Int, hangs: Bool) {
    var scenario = Scenario()
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .claimed, owner: ReplicaIndex(0), call: 0)
    for place in 1...2 {
      scenario[place].phase = .parked
      scenario[place].parked = true
    }
    let killed = watch(&scenario, seconds: 25) { second in
      [
        0: Surroundings.Vital(
          state: state, user: .milliseconds(userMilliseconds * second), total: .seconds(second)),
        1: Self.vital(.sleeps), 2: Self.vital(.sleeps),
      ]
    }
    #expect(killed == (hangs ? [ReplicaIndex(0)] : []))
  }

  @Test(
    "A leader that computes in a claimed slot is found also where it gets a twentieth of the processor; not one that sleeps"
  )
  func starvedLeader() {
    for sleeps in [false, true] {
      var scenario = Scenario()
      scenario.view.slots[LaneSequence(100)] = SlotView(state: .claimed, owner: ReplicaIndex(0), call: 0)
      for place in 1...2 {
        scenario[place].phase = .parked
        scenario[place].parked = true
      }
      let killed = watch(&scenario, seconds: 120) { second in
        [
          0: Self.vital(sleeps && second % 10 == 0 ? .sleeps : .runs, user: .milliseconds(50 * second)),
          1: Self.vital(.sleeps), 2: Self.vital(.sleeps),
        ]
      }
      #expect(killed == (sleeps ? [] : [ReplicaIndex(0)]))
    }
  }

  @Test("A leader that does not come to the call to which others have come may compute as long as they did, and more")
  func lateLeader() {
    var scenario = Scenario()
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    // Replica 1 needs 20 s for it, the leader the same, and gets half of the processor. Replica 2 hangs there, too.
    var killed = watch(&scenario, seconds: 20) { second in
      [
        0: Self.vital(.runs, user: .seconds(second / 2)), 1: Self.vital(.runs, user: .seconds(second)),
        2: Self.vital(.runs, user: .seconds(second)),
      ]
    }
    scenario[1].phase = .parked
    scenario[1].parked = true
    killed.formUnion(
      watch(&scenario, seconds: 15) { second in
        [
          0: Self.vital(.runs, user: .seconds(10 + second)), 1: Self.vital(.sleeps, user: .seconds(19)),
          2: Self.vital(.runs, user: .seconds(20 + second)),
        ]
      })
    #expect(killed == [])
    killed = watch(&scenario, seconds: 10) { second in
      [
        0: Self.vital(.runs, user: .seconds(25 + second)), 1: Self.vital(.sleeps, user: .seconds(19)),
        2: Self.vital(.runs, user: .seconds(35 + second)),
      ]
    }
    #expect(killed == [ReplicaIndex(0)])
  }

  @Test("What a joiner needs for its pages is no measure of what the guest computes there")
  func busyJoiner() {
    var scenario = Scenario()
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    scenario[1].phase = .parked
    scenario[1].parked = true
    scenario[2].state = .joining
    let joining = watch(&scenario, seconds: 30) { second in
      [0: Self.vital(.runs), 1: Self.vital(.sleeps), 2: Self.vital(.runs, user: .seconds(second))]
    }
    #expect(joining == [])
    scenario[2].state = .running
    scenario[2].phase = .parked
    scenario[2].parked = true
    let killed = watch(&scenario, seconds: 14) { second in
      [
        0: Self.vital(.runs, user: .seconds(second)), 1: Self.vital(.sleeps),
        2: Self.vital(.sleeps, user: .seconds(30)),
      ]
    }
    #expect(killed == [ReplicaIndex(0)])
  }

  @Test("Who waits at a call and is woken for its pages again and again waits all the same")
  func busyWaiter() {
    var scenario = Scenario()
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    scenario[1].phase = .parked
    scenario[1].parked = true
    scenario[2].sequence = LaneSequence(100)
    _ = scenario.plan()
    var killed: Set<ReplicaIndex> = []
    for second in 0..<14 {
      scenario[1].phase = second % 2 == 0 ? .guest : .parked
      scenario[1].parked = second % 2 == 1
      killed.formUnion(
        watch(&scenario, seconds: 1) { _ in
          [
            0: Self.vital(.runs, user: .seconds(second)), 1: Self.vital(.runs, user: .seconds(second)),
            2: Self.vital(.runs, user: .seconds(second)),
          ]
        })
    }
    #expect(killed == [ReplicaIndex(0)])
  }

  @Test("Nobody hangs when all are stopped: somebody has stopped the program")
  func jobControl() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(200)
    let stopped: [UInt32: Surroundings.Vital] = [
      0: Self.vital(.stopped), 1: Self.vital(.stopped), 2: Self.vital(.stopped),
    ]
    #expect(watch(&scenario, seconds: 60) { _ in stopped } == [])
  }

  @Test("A stopped replica is replaced also when it is to be a donor, and the guest does nothing")
  func stoppedDonor() {
    var scenario = Scenario()
    scenario.bury(2)
    #expect(scenario.plan().clones.first?.donor == ReplicaIndex(1))
    scenario[2].state = .reserved
    scenario[2].generation = 2
    scenario[1].cloneRequested = true
    let killed = watch(&scenario, seconds: 12) { _ in [0: Self.vital(.sleeps), 1: Self.vital(.stopped)] }
    #expect(killed == [ReplicaIndex(1)])
  }

  @Test("A follower that is behind and asleep is woken: the leader that should do it may hang")
  func napping() {
    var scenario = Scenario()
    scenario[0].sequence = LaneSequence(300)
    for place in 1...2 {
      scenario[place].phase = .parked
      scenario[place].parked = true
    }
    var woken: Set<ReplicaIndex> = []
    for _ in 0..<3 {
      let actions = scenario.plan(after: .milliseconds(500), in: Self.surroundings([:]))
      woken.formUnion(actions.wakes)
      #expect(actions.kills.isEmpty)
    }
    #expect(woken == [ReplicaIndex(1), ReplicaIndex(2)])
  }

  @Test("While the leader has no room, the slowest is given two seconds of standing still")
  func stalled() {
    var scenario = Scenario()
    scenario.view.stalled = true
    scenario[0].sequence = LaneSequence(9000)
    scenario[2].sequence = LaneSequence(8000)
    #expect(!scenario.plan().kills.contains(ReplicaIndex(1)))
    #expect(!scenario.plan(after: .milliseconds(900)).kills.contains(ReplicaIndex(1)))
    #expect(!scenario.plan(after: .milliseconds(900)).kills.contains(ReplicaIndex(1)))
    #expect(scenario.plan(after: .milliseconds(300)).kills == [ReplicaIndex(1)])
  }

  /// Whom a leader of sequence 8292 and one that has come to its call wait for, when `last` is as far as this.
  private func firstToGo(last: UInt64) -> Set<ReplicaIndex> {
    var limits = Limits()
    limits.hangAfter = .seconds(1)
    var scenario = Scenario(limits: limits)
    scenario.view.stalled = true
    scenario.view.slots[LaneSequence(8292)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    for place in 0..<3 { scenario[place].sequence = LaneSequence(place == 1 ? last : 8292) }
    scenario[2].phase = .parked
    var killed: Set<ReplicaIndex> = []
    for _ in 0..<5 where killed.isEmpty { killed = watch(&scenario, seconds: 1) { _ in [:] } }
    return killed
  }

  @Test("A leader that waits for room is not late while one is behind it, though another has come to its call")
  func stalledByOne() {
    #expect(firstToGo(last: 100) == [ReplicaIndex(1)])
    #expect(firstToGo(last: 8292) == [ReplicaIndex(0)])
  }

  @Test("Progress renews patience")
  func progress() {
    var scenario = Scenario()
    scenario.view.stalled = true
    scenario[0].sequence = LaneSequence(9000)
    scenario[2].sequence = LaneSequence(8000)
    for step in 0..<9 {
      scenario[1].sequence = LaneSequence(100 + UInt64(step))
      scenario[2].sequence = LaneSequence(8000 + UInt64(step))
      #expect(scenario.plan(after: .milliseconds(1400)).kills.isEmpty)
    }
  }

  @Test("--hang-after 0: nobody is taken to hang, as long as the guest has room to go on")
  func never() {
    var limits = Limits()
    limits.hangAfter = nil
    var scenario = Scenario(limits: limits)
    scenario[0].sequence = LaneSequence(200)
    #expect(watch(&scenario, seconds: 100) { _ in [:] } == [])
    scenario.view.stalled = true
    #expect(watch(&scenario, seconds: 4) { _ in [:] }.isEmpty == false)
  }

  @Test("A leader that hangs while it waits for room is overtaken when nobody is behind it any more")
  func stalledForEver() {
    var scenario = Scenario()
    scenario.view.stalled = true
    scenario.view.slots[LaneSequence(100)] = SlotView(state: .empty, owner: ReplicaIndex(0), call: 0)
    scenario[1].bids = true
    scenario[2].sequence = LaneSequence(50)
    #expect(scenario.plan().grants.isEmpty)
    scenario[2].sequence = LaneSequence(100)
    #expect(scenario.plan().grants == [ReplicaIndex(1)])
  }
}
