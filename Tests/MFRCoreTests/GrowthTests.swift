import Synchronization
import Testing

@testable import MFRCore

@Suite("What holds growth up")
struct GrowthTests {
  private static func short(needed: UInt64, free: UInt64) -> Surroundings {
    Surroundings(memory: { _ in Surroundings.Memory(needed: needed << 20, free: free << 20) })
  }

  @Test("When memory is short nothing is cloned, and status says why; when it is not any more, it is")
  func memory() {
    var scenario = Scenario()
    scenario.bury(2)
    var actions = scenario.plan(in: Self.short(needed: 2100, free: 1300))
    #expect(actions.clones.isEmpty)
    #expect(actions.events.map(\.name) == ["growth"])
    let reason = scenario.set.growthReason(scenario.view)
    #expect(reason == "memory is short: a replica needs 2100 MB, 1300 MB are free")
    #expect(Protection.of(scenario.view, growth: reason).reason == "2 of 3 replicas; \(reason)")
    #expect(scenario.set.wait != nil)
    actions = scenario.plan(after: .seconds(1), in: Self.short(needed: 2100, free: 2200))
    #expect(actions.clones.count == 1)
    #expect(scenario.set.growthReason(scenario.view) == "")
  }

  @Test("When memory runs out a duplicate leaves before the kernel kills somebody; never the last one")
  func shedding() {
    var scenario = Scenario()
    let low = Surroundings(memory: { _ in Surroundings.Memory(needed: 100, free: 9, reserve: 10) })
    let actions = scenario.plan(after: .seconds(1), in: low)
    #expect(actions.contains(.kill(ReplicaIndex(2), leaving: true)))
    #expect(actions.kills.count == 1 && actions.clones.isEmpty)
    scenario.die(2)
    #expect(scenario.plan(after: .milliseconds(1), in: low).events.first?.cause?.kind == "memory")
    scenario.bury(2)
    #expect(scenario.plan(after: .seconds(1), in: low).kills == [ReplicaIndex(1)])
    scenario.die(1)
    _ = scenario.plan(after: .milliseconds(1), in: low)
    scenario.bury(1)
    for _ in 0..<5 { #expect(scenario.plan(after: .seconds(40), in: low).kills.isEmpty) }
    #expect(scenario.set.growthReason(scenario.view).hasPrefix("memory is short"))
  }

  @Test("The faster memory goes, the sooner it is looked at again, and a duplicate leaves while there is time")
  func forecast() {
    var scenario = Scenario()
    func left(_ free: UInt64) -> Surroundings {
      Surroundings(memory: { _ in Surroundings.Memory(needed: 100 << 20, free: free << 20, reserve: 50 << 20) })
    }
    _ = scenario.plan(after: .seconds(2), in: left(4000))
    #expect(scenario.plan(after: .seconds(1), in: left(2000)).kills.isEmpty)  // 2000 MB a second
    #expect(scenario.set.wait == .milliseconds(250))
    #expect(scenario.plan(after: .milliseconds(250), in: left(1500)).kills.isEmpty)
    #expect(scenario.plan(after: .milliseconds(180), in: left(1140)).kills.isEmpty)
    #expect(scenario.plan(after: .milliseconds(150), in: left(840)).kills.isEmpty)
    #expect(scenario.plan(after: .milliseconds(110), in: left(620)).kills.isEmpty)
    #expect(scenario.plan(after: .milliseconds(80), in: left(460)).kills == [ReplicaIndex(2)])
  }

  @Test("What a joiner takes says nothing of how fast memory goes")
  func forecastOfJoiner() {
    var scenario = Scenario()
    func left(_ free: UInt64) -> Surroundings {
      Surroundings(memory: { _ in Surroundings.Memory(needed: 100 << 20, free: free << 20, reserve: 50 << 20) })
    }
    scenario[2].state = .joining
    scenario[2].unshared = false
    _ = scenario.plan(after: .seconds(2), in: left(2000))
    #expect(scenario.plan(after: .seconds(1), in: left(60)).kills.isEmpty)
    scenario[2].state = .running
    scenario[2].unshared = true
    #expect(scenario.plan(after: .seconds(1), in: left(60)).kills.isEmpty)
    #expect(scenario.plan(after: .seconds(1), in: left(49)).kills == [ReplicaIndex(2)])
  }

  @Test("Whose clones die before they are in step is not cloned any more, and given up when others are whole")
  func barrenDonor() {
    var scenario = Scenario()
    scenario.bury(2)
    func donor(_ actions: [Action]) -> ReplicaIndex? {
      for case .clone(_, let donor) in actions { return donor }
      return nil
    }
    /// A clone of `donor` comes to place 2 and dies of SIGBUS.
    func stillborn(of donor: Int) {
      scenario[2].generation += 1
      scenario[2].state = .joining
      scenario[2].live = true
      scenario[2].pid = ProcessID(2000)
      scenario[2].donor = ReplicaIndex(UInt32(donor))
      scenario[2].cloned = scenario.now
      #expect(scenario.plan().kills.isEmpty)
      scenario.die(2, signal: 7)
      _ = scenario.plan()
      scenario.bury(2)
    }
    for _ in 0..<2 {
      #expect(donor(scenario.plan()) == ReplicaIndex(1))
      stillborn(of: 1)
    }
    #expect(donor(scenario.plan()) == ReplicaIndex(0))
    scenario[2].generation += 1
    scenario[2].state = .running
    scenario[2].live = true
    scenario[2].unshared = true
    scenario[2].pid = ProcessID(2001)
    scenario[2].sequence = LaneSequence(100)
    scenario[2].donor = ReplicaIndex(0)
    scenario[2].cloned = scenario.now
    #expect(scenario.plan().kills == [ReplicaIndex(1)])
    scenario.die(1)
    #expect(scenario.plan().events.first?.cause == Event.Cause(kind: "clones"))
  }

  @Test("A verdict does not wait for a look at the machine's memory")
  func verdictFirst() {
    var scenario = Scenario()
    let looks = Mutex(0)
    let surroundings = Surroundings(memory: { _ in
      looks.withLock { $0 += 1 }
      return Surroundings.Memory(needed: 1, free: 2, reserve: 0)
    })
    scenario.fault(0)
    scenario[1].phase = .parked
    #expect(scenario.plan(after: .seconds(2), in: surroundings).kills == [ReplicaIndex(0)])
    #expect(looks.withLock { $0 } == 0)
    #expect(scenario.set.wait == .zero)
    _ = scenario.plan(in: surroundings)
    #expect(looks.withLock { $0 } > 0)
  }

  @Test("The user may have it tried at once")
  func restore() {
    var scenario = Scenario()
    scenario.bury(2)
    for _ in 0..<10 { _ = scenario.plan(after: .seconds(40), in: Self.short(needed: 2, free: 1)) }
    #expect(scenario.plan(after: .milliseconds(1), in: Self.short(needed: 1, free: 2)).clones.isEmpty)
    scenario.set.restore()
    #expect(scenario.plan(after: .milliseconds(1), in: Self.short(needed: 1, free: 2)).clones.count == 1)
  }

  /// One more dies of its own doing, and its place is free again.
  private func lose(_ place: Int, _ scenario: inout Scenario, of cause: (inout Scenario) -> Void) -> [Action] {
    scenario[place].state = .running
    scenario[place].live = true
    scenario[place].unshared = true
    scenario[place].generation += 1
    scenario[place].pid = ProcessID(5000)
    scenario[place].sequence = LaneSequence(100)
    _ = scenario.plan(after: .milliseconds(200))
    cause(&scenario)
    var actions = scenario.plan()
    if actions.contains(.halt) { scenario.view.halted = true }
    scenario.die(place, signal: 11)
    actions += scenario.plan()
    scenario.bury(place)
    return actions
  }

  @Test("Beyond --respawn-limit nothing is made any more, also by the next coordinator, until the user says so")
  func limit() {
    var limits = Limits()
    limits.respawns = Limits.Rate(count: 3, window: .seconds(10))
    var scenario = Scenario(limits: limits)
    scenario[0].sequence = LaneSequence(101)
    scenario[1].sequence = LaneSequence(101)
    for _ in 0..<3 { #expect(!lose(2, &scenario) { $0.fault(2) }.contains(.halt)) }
    let last = lose(2, &scenario) { $0.fault(2) }
    #expect(last.contains(.halt) && last.clones.isEmpty)
    scenario.view.halted = true
    scenario.set = ReplicaSet(limits: limits)
    for _ in 0..<5 { #expect(scenario.plan(after: .seconds(60)).clones.isEmpty) }
    #expect(
      scenario.set.growthReason(scenario.view)
        == "more than 3 replicas were lost within 10 s; mfr-ctl restore starts again")
    scenario.view.halted = false
    scenario.set.restore()
    #expect(scenario.plan().clones.count == 1)
  }

  @Test("What comes from outside does not count against it: kills, signals, broken memory")
  func outside() {
    var limits = Limits()
    limits.respawns = Limits.Rate(count: 3, window: .seconds(10))
    for cause in [
      { (scenario: inout Scenario) in },
      { (scenario: inout Scenario) in scenario.fault(2, code: 0) },
      { (scenario: inout Scenario) in scenario.fault(2, signal: 7, code: 4) },
    ] {
      var scenario = Scenario(limits: limits)
      for _ in 0..<10 { #expect(!lose(2, &scenario, of: cause).contains(.halt)) }
    }
  }

  @Test("Slow losses never reach the limit")
  func slow() {
    var limits = Limits()
    limits.respawns = Limits.Rate(count: 3, window: .seconds(10))
    var scenario = Scenario(limits: limits)
    scenario[0].sequence = LaneSequence(101)
    scenario[1].sequence = LaneSequence(101)
    for _ in 0..<10 {
      _ = scenario.plan(after: .seconds(4))
      #expect(!lose(2, &scenario) { $0.fault(2) }.contains(.halt))
    }
  }
}
