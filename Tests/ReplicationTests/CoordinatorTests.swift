import Glibc
import MFRControl
import MFRHarness
import Testing

/// The coordinator may die at any time: guests do not stop, and the next one goes on where it was.
@Suite("Coordinator and anchor", .serialized)
struct CoordinatorTests {
  /// Kills the coordinator and waits for the next one; how long it took until that one answered.
  private func replaceCoordinator(_ guest: LiveGuest, by signal: Int32, upTo limit: Duration = .seconds(10)) throws
    -> Duration
  {
    let first = try #require(guest.coordinator())
    let begun = Instant.now
    _ = Glibc.kill(first, signal)
    let replaced = wait(upTo: limit) {
      guard let now = guest.coordinator(), now != first else { return false }
      return (try? guest.guest.status()) != nil
    }
    guard replaced else { throw Failure("no coordinator after \(first)") }
    return Instant.now - begun
  }

  @Test(
    "Whatever it dies of, the next one takes over: level, counts, name and replicas are the same",
    arguments: [SIGKILL, SIGSEGV, SIGBUS])
  func takeover(signal: Int32) async throws {
    let guest = try await LiveGuest(level: 1)
    _ = try guest.ctl("set-level", "2")
    try guest.guest.waitUntilWhole()
    try guest.kill(replica: try guest.replicas()[0])
    _ = try guest.ctl("failover")
    let before = try guest.guest.status()
    var times: [Duration] = []
    for _ in 0..<3 { times.append(try replaceCoordinator(guest, by: signal)) }
    let after = try guest.guest.status()
    #expect(after.name == before.name && after.level == 2 && after.state == "protected")
    #expect(after.failovers == before.failovers && after.lost == 1 && after.respawns == 1 && after.bids == before.bids)
    #expect(after.replicas.map(\.pid) == before.replicas.map(\.pid))
    #expect(after.calls >= before.calls)
    // A busy machine may hold one of them up.
    #expect(times.min() ?? .seconds(9) < .seconds(1), "\(times)")
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("Faults while there is no coordinator are settled by the next one, and counted", arguments: 1...3)
  func faultsInBetween(round: Int) async throws {
    let guest = try await LiveGuest()
    for number in 1...4 {
      let victim = try guest.replicas()[number % 2]
      let coordinator = try #require(guest.coordinator())
      // Both orders, and as close as it gets.
      _ = Glibc.kill(number < 3 ? coordinator : victim, SIGKILL)
      _ = Glibc.kill(number < 3 ? victim : coordinator, SIGKILL)
      let gone = wait(upTo: .seconds(10)) { (try? guest.replicas())?.contains(victim) == false }
      #expect(gone, "\(victim)")
      try guest.guest.waitUntilWhole()
      try guest.waitForProgress()
    }
    let status = try guest.guest.status()
    #expect(status.lost == 4 && status.respawns == 4, "\(status.lost) lost, \(status.respawns) made good")
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("One that dies again and again is replaced again and again, with replicas dying meanwhile")
  func again() async throws {
    let guest = try await LiveGuest()
    var random = SplitMix(seed: 7)
    for _ in 0..<30 {
      if let coordinator = guest.coordinator() { _ = Glibc.kill(coordinator, SIGKILL) }
      pause(.milliseconds(Int64.random(in: 1...40, using: &random)))
      if let status = try? guest.guest.status(), status.isWhole,
        let victim = status.replicas.randomElement(using: &random)
      {
        _ = Glibc.kill(victim.pid, SIGKILL)
      }
    }
    try guest.guest.waitUntilWhole(upTo: .seconds(20))
    try guest.waitForProgress()
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("mfr-ctl waits for the next coordinator")
  func patience() async throws {
    let guest = try await LiveGuest()
    for _ in 0..<5 {
      let coordinator = try #require(guest.coordinator())
      _ = Glibc.kill(coordinator, SIGKILL)
      #expect(try guest.ctl("status").contains(guest.guest.name))
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A dead coordinator is no child of the guest's: its handler of SIGCHLD is not called")
  func noChild() async throws {
    let source = Repository.root.appendingPathComponent("Tests/Support/no-child.c")
    let program = Repository.build.appendingPathComponent("no-child")
    try await Builder.compile(source, to: program)
    let guest = try await LiveGuest(program: [program.path])
    for _ in 0..<3 { _ = try replaceCoordinator(guest, by: SIGKILL) }
    try guest.waitForProgress()
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  /// A session for each would be an autogroup for each, and starve others on a busy machine: docs/design/0002.
  @Test("A coordinator has a process group of its own, out of the terminal's reach, and makes no session")
  func noSession() async throws {
    let guest = try await LiveGuest()
    let first = try #require(guest.coordinator())
    for signal in [SIGHUP, SIGTTIN, SIGTTOU] { #expect(Glibc.kill(first, signal) == 0) }
    _ = try guest.guest.status()
    #expect(guest.coordinator() == first)
    for _ in 0..<2 {
      let coordinator = try #require(guest.coordinator())
      #expect(getsid(coordinator) == getsid(guest.anchor))
      #expect(getpgid(coordinator) == coordinator)
      _ = try replaceCoordinator(guest, by: SIGKILL)
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("One that does nothing any more is replaced, too")
  func hangs() async throws {
    let guest = try await LiveGuest()
    _ = try replaceCoordinator(guest, by: SIGSTOP, upTo: .seconds(60))
    try guest.kill(replica: try guest.replicas()[0])
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("The anchor holds less than two megabytes of its own")
  func anchorMemory() async throws {
    let guest = try await LiveGuest()
    let text = try File.text("/proc/\(guest.anchor)/status")
    let kilobytes = try #require(text.firstMatch(of: /RssAnon:\s+(\d+) kB/).flatMap { Int($0.1) })
    #expect(kilobytes < 2048)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("kill -9 of the anchor ends every replica and the coordinator, and leaves no socket", arguments: [false, true])
  func anchor(withCoordinator: Bool) async throws {
    let guest = try await LiveGuest()
    let coordinator = try #require(guest.coordinator())
    let processes = try guest.replicas() + [coordinator]
    let socket = RuntimeDirectory.socket(in: RuntimeDirectory.path, anchor: guest.anchor)
    #expect(File.exists(socket))
    if withCoordinator { _ = Glibc.kill(coordinator, SIGKILL) }
    // As one leaves it that is killed while it makes its socket.
    if withCoordinator { _ = try call("make \(socket).new") { mknod(socket + ".new", S_IFSOCK | 0o600, 0) } }
    _ = Glibc.kill(guest.anchor, SIGKILL)
    #expect(guest.guest.child.waitForEnd() == .signalled(SIGKILL))
    let gone = wait(upTo: .seconds(10)) { !processes.contains(where: runs) }
    #expect(gone, "still there: \(processes.filter(runs))")
    // With both gone at once nobody is left to remove it: the next look does.
    if withCoordinator { _ = try output(of: [try Tools.path("mfr-ctl"), "list"]) }
    #expect(wait(upTo: .seconds(5)) { !File.exists(socket) && !File.exists(socket + ".new") })
  }
}
