import Testing

@testable import MFRCore

@Suite("Large guests stay quick to clone")
struct FoldingTests {
  private static func guest(megabytes: UInt64) -> Surroundings {
    Surroundings(memory: { _ in Surroundings.Memory(needed: megabytes << 20, free: 64 << 30) })
  }
  private static let large = guest(megabytes: 2048)

  @Test("All replicas of a large guest are folded, again only when they have gone on")
  func all() {
    var scenario = Scenario()
    #expect(scenario.plan(after: .seconds(1), in: Self.large).folds.map(\.rawValue) == [0, 1, 2])
    #expect(scenario.plan(after: .seconds(1), in: Self.large).folds.isEmpty)
    scenario[1].sequence = LaneSequence(101)
    #expect(scenario.plan(after: .milliseconds(100), in: Self.large).folds.isEmpty)
    #expect(scenario.plan(after: .seconds(1), in: Self.large).folds.map(\.rawValue) == [1])
  }

  @Test("A small guest is left alone")
  func small() {
    var scenario = Scenario()
    #expect(scenario.plan(after: .seconds(1), in: Self.guest(megabytes: 20)).folds.isEmpty)
  }

  @Test("A leader that shares its pages with children of the guest keeps them shared")
  func children() {
    var scenario = Scenario()
    scenario.view.hasChildren = true
    #expect(scenario.plan(after: .seconds(1), in: Self.large).folds.map(\.rawValue) == [1, 2])
  }

  @Test("Nobody is folded while a joiner shares pages with its donor")
  func joiner() {
    var scenario = Scenario()
    scenario[2].state = .joining
    scenario[2].unshared = false
    #expect(scenario.plan(after: .seconds(1), in: Self.large).folds.isEmpty)
    scenario[2].state = .running
    scenario[2].unshared = true
    #expect(scenario.plan(after: .seconds(1), in: Self.large).folds.count == 3)
  }

  @Test("A replica that sleeps is woken until it is done")
  func sleeper() {
    var scenario = Scenario()
    _ = scenario.plan(after: .seconds(1), in: Self.large)
    scenario[0].foldRequested = true
    scenario[0].phase = .blocked
    #expect(scenario.plan(in: Self.large).contains(.nudge(ReplicaIndex(0))))
    #expect(scenario.set.wait == .milliseconds(5))
    scenario[0].foldRequested = false
    #expect(!scenario.plan(in: Self.large).contains(.nudge(ReplicaIndex(0))))
  }
}

extension [Action] {
  fileprivate var folds: [ReplicaIndex] { compactMap { if case .fold(let index) = $0 { index } else { nil } } }
}
