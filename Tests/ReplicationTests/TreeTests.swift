import Foundation
import Glibc
import MFRControl
import MFRHarness
import Testing

/// The set of a process that the guest has made, found by the events that its coordinator writes.
private struct ChildSet {
  let guest: LiveGuest
  let anchor: pid_t

  init(_ guest: LiveGuest, program: String) throws {
    self.guest = guest
    var found: pid_t = 0
    let there = wait(upTo: .seconds(20)) {
      let born = guest.events("in_step").filter { $0["program"]?.string == program }
      found = born.first?["anchor"]?.integer.map(pid_t.init) ?? 0
      return found > 0
    }
    guard there else { throw Failure("no set of \(program): \(guest.events("unprotected"))") }
    anchor = found
    try waitUntilWhole()
  }

  func status() throws -> SetStatus {
    let fd = try Port.connect(path: RuntimeDirectory.socket(in: RuntimeDirectory.path, anchor: anchor))
    defer { close(fd) }
    try File.writeAll(fd, Array((ControlRequest.status.json.text + "\n").utf8), what: "control socket")
    let line = try File.readAll(fd, what: "control socket").prefix { $0 != 0x0A }
    guard let set = try JSON.parse(line)["set"].flatMap({ SetStatus(json: $0) }) else { throw Failure("no status") }
    return set
  }

  func waitUntilWhole() throws {
    var last = ""
    let whole = wait(upTo: .seconds(20)) {
      guard let now = try? status() else { return false }
      last = now.line
      return now.isWhole
    }
    guard whole else { throw Failure("\(anchor) is not whole: \(last)") }
  }

  func kill(_ role: String) throws {
    guard let victim = try status().replicas.first(where: { $0.role == role })?.pid else { throw Failure("no \(role)") }
    _ = Glibc.kill(victim, SIGKILL)
    let gone = wait(upTo: .seconds(10)) { (try? status())?.replicas.contains { $0.pid == victim } == false }
    guard gone else { throw Failure("replica \(victim) was killed and is still listed") }
    try waitUntilWhole()
    try guest.waitForProgress()
  }
}

@Suite("Process trees", .serialized)
struct TreeTests {
  private func counter() async throws -> String {
    let counter = Repository.build.appendingPathComponent("counter")
    try await Builder.compile(Repository.root.appendingPathComponent("Tests/Support/counter.c"), to: counter)
    return counter.path
  }

  @Test("A child is a set of its own: its replicas are lost and replaced, and nobody notices")
  func child() async throws {
    let script = "trap 'kill $!; wait; exit 7' TERM; \(try await counter()) & wait; wait"
    let guest = try await LiveGuest(program: ["/bin/bash", "-c", script])
    let child = try ChildSet(guest, program: "counter")
    #expect(try child.status().level == 2)
    for role in ["leader", "follower", "leader"] { try child.kill(role) }
    let parent = try guest.replicas()
    try guest.kill(replica: parent[0])
    let (_, text, _) = try output(of: [try Tools.path("mfr-ctl"), "status", "--json"])
    let sets = try JSON.parse(text.utf8)["sets"]?.array ?? []
    let shown = sets.first { $0["pid"]?.integer == Int64(child.anchor) }
    #expect(shown?["parent"]?.integer == Int64(guest.anchor))
    #expect(try guest.end() == .exited(7))
  }

  @Test("A daemon stays protected when the command that started it has ended, and ends by the pid that it has")
  func daemon() async throws {
    let guest = try await LiveGuest(
      program: ["/bin/sh", "-c", "setsid -f \(try await counter()); sleep 1"], whole: false)
    let daemon = try ChildSet(guest, program: "counter")
    #expect(wait(upTo: .seconds(20)) { guest.guest.child.poll() != nil })
    #expect(guest.guest.child.ending == .exited(0))
    for role in ["leader", "follower"] { try daemon.kill(role) }
    #expect(Glibc.kill(daemon.anchor, SIGTERM) == 0)
    #expect(wait(upTo: .seconds(10)) { !runs(daemon.anchor) })
    _ = try guest.end()
  }

  @Test("Levels of children: --children, and --level-of by name")
  func levels() async throws {
    let script = "trap 'kill $!; wait; exit 7' TERM; \(try await counter()) & wait; wait"
    for (options, level) in [(["--children", "1"], 1), (["--children", "0", "--level-of", "counter=3"], 3)] {
      let guest = try await LiveGuest(level: 0, program: ["/bin/bash", "-c", script], options: options)
      let child = try ChildSet(guest, program: "counter")
      #expect(try child.status().level == UInt32(level))
      try child.kill("follower")
      #expect(try guest.guest.status().level == 0)
      #expect(try guest.end() == .exited(7))
    }
  }
}
