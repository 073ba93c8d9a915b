import Testing

@testable import MFRCore

/// A follower that stands still is replaced before it stops the guest.
@Suite struct StallTests {
  @Test func slowestIsKilledWhenItStandsStill() {
    var scenario = Scenario()
    scenario.view.stalled = true
    scenario[0].sequence = LaneSequence(9000)
    scenario[2].sequence = LaneSequence(8000)
    #expect(!scenario.plan().contains(.kill(ReplicaIndex(1), leaving: false)))
    #expect(!scenario.plan(after: .milliseconds(1900)).contains(.kill(ReplicaIndex(1), leaving: false)))
    #expect(scenario.plan(after: .milliseconds(200)).contains(.kill(ReplicaIndex(1), leaving: false)))
  }

  @Test func progressIsPatience() {
    var scenario = Scenario()
    scenario.view.stalled = true
    scenario[0].sequence = LaneSequence(9000)
    scenario[2].sequence = LaneSequence(8000)
    for step in 0..<5 {
      scenario[1].sequence = LaneSequence(100 + UInt64(step))
      #expect(!scenario.plan(after: .milliseconds(1500)).contains(.kill(ReplicaIndex(1), leaving: false)))
    }
  }

  @Test func guestThatWaitsIsLeftAlone() {
    var scenario = Scenario()
    for _ in 0..<5 { #expect(!scenario.plan(after: .seconds(20)).contains(.kill(ReplicaIndex(1), leaving: false))) }
  }
}
