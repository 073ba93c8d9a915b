import Foundation
import Glibc
import MFRControl
import MFRHarness
import Testing

/// Faults that users can cause themselves. `LiveGuest.end` says whether a byte of the output was lost or doubled.
@Suite("Faults on purpose", .serialized)
struct FaultTests {
  @Test(
    "mfr-ctl inject says what it has planted where, and the replica is replaced",
    arguments: [
      ("kill", "leader", "heap"), ("kill", "follower", "heap"), ("segv", "leader", "heap"),
      ("segv", "follower", "heap"),
      ("poison", "leader", "stack"), ("poison", "follower", "stack"),
    ])
  func inject(fault: String, role: String, place: String) async throws {
    let guest = try await LiveGuest()
    let told = try guest.ctl("inject", "--fault", fault, "--replica", role, "--at", place)
    let victim = try #require(told.firstMatch(of: /pid (\d+)/).flatMap { pid_t($0.1) })
    #expect(told.contains(role), "\(told)")
    if fault == "poison" {
      #expect(told.contains("poisoned the page of 0x") && told.contains("[stack]"), "\(told)")
      // The kernel knows of it.
      let page = try #require(told.firstMatch(of: /0x([0-9a-f]+)/).flatMap { UInt64($0.1, radix: 16) }) / 4096 * 4096
      let memory = open("/proc/\(victim)/mem", O_RDONLY)
      defer { close(memory) }
      var byte: UInt8 = 0
      if memory >= 0, runs(victim) { #expect(pread(memory, &byte, 1, off_t(page)) != 1) }
    }
    // A page counts when the program touches it: of the stack it touches only some.
    if fault == "poison", wait(upTo: .seconds(2), until: { (try? guest.replicas())?.contains(victim) == true }) {
      try guest.kill(replica: victim)
    }
    try guest.waitForLoss(of: victim)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test(
    "Poison in text, data and heap is really there: whoever touches the page gets SIGBUS",
    arguments: ["text", "data", "heap"])
  func poisonPlaces(place: String) async throws {
    let guest = try await LiveGuest()
    let victim = try guest.replicas()[1]
    let told = try guest.ctl("inject", "--fault", "poison", "--at", place, "--replica", "follower", "--seed", "3")
    let pid = try #require(told.firstMatch(of: /pid (\d+)/).flatMap { pid_t($0.1) })
    let address = try #require(told.firstMatch(of: /0x([0-9a-f]+)/).flatMap { UInt64($0.1, radix: 16) })
    // The kernel does not read it either, unless the program has come to it already.
    let memory = open("/proc/\(pid)/mem", O_RDONLY)
    defer { close(memory) }
    var byte: UInt8 = 0
    let count = pread(memory, &byte, 1, off_t(address / 4096 * 4096))
    #expect(count != 1, "\(told)")
    if runs(victim) { try guest.kill(replica: victim) }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("One flipped bit, in text as in memory that is written to", arguments: ["text", "heap", "stack"])
  func bitflip(place: String) async throws {
    let guest = try await LiveGuest()
    let told = try guest.ctl("inject", "--fault", "bitflip", "--at", place, "--replica", "follower")
    let flipped = try #require(told.firstMatch(of: /flipped bit (\d) of 0x([0-9a-f]+) .*pid (\d+)/))
    let pid = try #require(pid_t(flipped.3))
    let address = try #require(UInt64(flipped.2, radix: 16))
    let bit = try #require(UInt8(flipped.1))
    if place == "text" {  // nobody writes there: compare with another replica
      let other = try #require(try guest.replicas().first { $0 != pid })
      let (mine, its) = (try Self.byte(of: pid, at: address), try Self.byte(of: other, at: address))
      if let mine, let its { #expect(mine ^ its == 1 << bit) }
    }
    if runs(pid) { try guest.kill(replica: pid) }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  private static func byte(of pid: pid_t, at address: UInt64) throws -> UInt8? {
    let memory = open("/proc/\(pid)/mem", O_RDONLY)
    defer { close(memory) }
    var byte: UInt8 = 0
    return pread(memory, &byte, 1, off_t(address)) == 1 ? byte : nil
  }

  @Test("poison-real is planted where kernel and privilege allow it, else refused in one clear line")
  func poisonReal() async throws {
    let guest = try await LiveGuest()
    let (ending, out, errors) = try output(of: [
      try Tools.path("mfr-ctl"), "inject", guest.guest.name, "--fault", "poison-real", "--replica", "follower",
    ])
    if ending == .exited(0) {
      #expect(out.contains("poisoned the page of 0x"))
    } else {
      #expect(ending == .exited(1))
      #expect(errors.contains("CONFIG_MEMORY_FAILURE") || errors.contains("CAP_SYS_ADMIN"), "\(errors)")
      #expect(errors.split(separator: "\n").count == 1, "\(errors)")
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("mfr-ctl failover moves the lead, nobody is lost")
  func failover() async throws {
    let guest = try await LiveGuest()
    for _ in 0..<5 {
      let before = try guest.replicas()
      let told = try guest.ctl("failover")
      let leader = try #require(told.firstMatch(of: /pid (\d+)\) leads/).flatMap { pid_t($0.1) })
      #expect(leader != before[0] && before.contains(leader), "\(told)")
      try guest.waitForProgress()
      let after = try guest.replicas()
      #expect(after.sorted() == before.sorted())
      #expect(after[0] == leader)
    }
    #expect(guest.events("lost").isEmpty)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A lock that a thread waited for under the leader before, and gives up, is nobody's later")
  func lateLock() async throws {
    let program = try await Builder.support("late-lock")
    let directory = try File.temporaryDirectory("mfr-late-lock-")
    defer { File.removeTree(directory) }
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    let file = open(directory + "/out", O_WRONLY | O_CREAT | O_APPEND, 0o644)
    let guest = try MFRHarness.Guest(
      [program, directory + "/lock"], level: 2, name: "late-\(getpid())", directory: directory,
      descriptors: [ends[0], file, nil])
    defer { guest.child.stop(SIGKILL) }
    close(ends[0])
    close(file)
    #expect(wait(upTo: .seconds(20)) { (try? File.text(directory + "/out")) == "waits\n" })
    try guest.waitUntilWhole()
    _ = try guest.ask(.failover)
    #expect(write(ends[1], "x\n", 2) == 2)
    #expect(guest.child.waitForEnd(upTo: .seconds(60)) == .exited(0))
    close(ends[1])
    #expect(try File.text(directory + "/out") == "waits\nEINTR\nfree\n")
  }

  @Test(
    "A replica that is stopped, or computes for ever, is replaced while the others go on",
    arguments: [("hang", "leader"), ("hang", "follower"), ("spin", "leader"), ("spin", "follower")])
  func hang(fault: String, role: String) async throws {
    let guest = try await LiveGuest(options: ["--hang-after", "0.5"])
    let told = try guest.ctl("inject", "--fault", fault, "--replica", role)
    let victim = try #require(told.firstMatch(of: /pid (\d+)/).flatMap { pid_t($0.1) })
    try guest.waitForLoss(of: victim)
    let lost = guest.events("lost")
    #expect(lost.count == 1 && lost[0]["cause"]?["kind"]?.string == "hang", "\(lost)")
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("Who waits for input, or computes in all replicas, does not hang", arguments: ["wait", "compute"])
  func atWork(what: String) async throws {
    let program = try await Builder.support("at-work")
    let directory = try File.temporaryDirectory("mfr-at-work-")
    defer { File.removeTree(directory) }
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    let file = open(directory + "/out", O_WRONLY | O_CREAT | O_APPEND, 0o644)
    let guest = try MFRHarness.Guest(
      [program, what], level: 2, name: "work-\(getpid())-\(what)", directory: directory,
      descriptors: [ends[0], file, nil], options: ["--hang-after", "0.3"])
    defer { guest.child.stop(SIGKILL) }
    close(ends[0])
    close(file)
    try guest.waitUntilWhole()
    #expect(write(ends[1], "x", 1) == 1)
    if what == "wait" {
      pause(.seconds(2))  // it could be taken to hang six times over
      close(ends[1])
    }
    let ending = guest.child.waitForEnd(upTo: .seconds(60))
    #expect(ending == .exited(0))
    if what == "compute" { close(ends[1]) }
    let events = try File.text(directory + "/events.jsonl")
    #expect(!events.contains("\"lost\""), "\(events)")
    #expect(try File.text(directory + "/out") == "done\ndone\ndone\n")
  }

  @Test("A fault of one of two is judged while the guest waits for input", arguments: ["leader", "follower"])
  func besideACall(role: String) async throws {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    let directory = try File.temporaryDirectory("mfr-beside-")
    defer { File.removeTree(directory) }
    let guest = try MFRHarness.Guest(
      ["cat"], level: 1, name: "beside-\(getpid())-\(role)", directory: directory, descriptors: [ends[0], nil, nil])
    defer { guest.child.stop(SIGKILL) }
    close(ends[0])
    try guest.waitUntilWhole()
    let words = [try Tools.path("mfr-ctl"), "inject", guest.name, "--fault", "segv", "--replica", role]
    let (ending, told, errors) = try output(of: words, patience: .seconds(60))
    #expect(ending == .exited(0), "\(errors)")
    let victim = try #require(told.firstMatch(of: /pid (\d+)/).flatMap { pid_t($0.1) })
    #expect(wait(upTo: .seconds(20)) { (try? guest.status())?.replicas.contains { $0.pid == victim } == false })
    try guest.waitUntilWhole()
    close(ends[1])
    #expect(guest.child.waitForEnd(upTo: .seconds(60)) == .exited(0))
  }

  @Test("What planting a flipped bit reads and writes is none of the guest's: its cut off reads are settled rightly")
  func accountOfFlips() async throws {
    let program = try await Builder.support("whole-reads")
    let guest = try await LiveGuest(program: [program, "read"])
    func isLeader(_ pid: pid_t) -> Bool { (try? guest.replicas().first) == pid }
    // Half of the kills and more meet it in a read.
    for _ in 0..<12 {
      let victim = try #require(try guest.guest.status().replicas.first { $0.role != "leader" })
      let line = try #require(
        try File.text("/proc/\(victim.pid)/maps").split(separator: "\n").first { $0.hasSuffix("[stack]") })
      let end = try #require(
        line.split(separator: " ").first?.split(separator: "-").last.flatMap { UInt64($0, radix: 16) })
      for _ in 0..<4 {  // an even number, in a byte that nobody reads: nothing is wrong afterwards
        _ = try guest.ctl(
          "inject", "--replica", "\(victim.index)", "--fault", "bitflip", "--at", "0x" + String(end - 16, radix: 16))
      }
      for _ in 0..<50 where !isLeader(victim.pid) { _ = try guest.guest.ask(.failover) }
      try #require(isLeader(victim.pid))
      try guest.kill(replica: victim.pid)
    }
    #expect(try guest.end() == .signalled(SIGTERM), "\(guest.errors)")
  }

  @Test("A broken page that only clones come to: their donor is given up, and the set becomes whole again")
  func brokenForClones() async throws {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    let directory = try File.temporaryDirectory("mfr-clones-")
    defer { File.removeTree(directory) }
    // It waits, and so comes to nothing itself.
    let guest = try MFRHarness.Guest(
      ["cat"], level: 2, name: "clones-\(getpid())", directory: directory, descriptors: [ends[0], nil, nil])
    defer { guest.child.stop(SIGKILL) }
    close(ends[0])
    try guest.waitUntilWhole()
    let followers = try guest.status().replicas.filter { $0.role != "leader" }
    let (donor, other) = (followers[0], followers[1])
    // The first page of the shim's data: it is read while a clone is set up, and hardly ever else.
    let line = try #require(
      try File.text("/proc/\(donor.pid)/maps").split(separator: "\n").first {
        $0.contains("rw-p") && $0.contains("libmfrshim")
      })
    let (ending, _, errors) = try output(of: [
      try Tools.path("mfr-ctl"), "inject", guest.name, "--replica", "\(donor.index)", "--fault", "poison", "--at",
      "0x\(line.prefix { $0 != "-" })",
    ])
    #expect(ending == .exited(0), "\(errors)")
    _ = Glibc.kill(other.pid, SIGKILL)
    for victim in [other, donor] {
      let gone = wait(upTo: .seconds(20)) { (try? guest.status())?.replicas.contains { $0.pid == victim.pid } == false }
      #expect(gone, "\((try? guest.status().line) ?? "no status")")
    }
    try guest.waitUntilWhole()
    close(ends[1])
    #expect(guest.child.waitForEnd(upTo: .seconds(60)) == .exited(0))
  }

  @Test("Beyond --respawn-limit the set stays degraded and says why, until mfr-ctl restore")
  func respawnLimit() async throws {
    let guest = try await LiveGuest(options: ["--respawn-limit", "2/60"])
    for number in 1...3 {
      let told = try guest.ctl("inject", "--fault", "segv", "--replica", "follower")
      let victim = try #require(told.firstMatch(of: /pid (\d+)/).flatMap { pid_t($0.1) })
      if number < 3 {
        try guest.waitForLoss(of: victim)
      } else {
        #expect(wait(upTo: .seconds(10)) { (try? guest.replicas())?.contains(victim) == false })
      }
    }
    // The next coordinator knows it, too.
    if let coordinator = guest.coordinator() { _ = Glibc.kill(coordinator, SIGKILL) }
    pause(.milliseconds(300))
    let status = try guest.ctl("status")
    #expect(
      status.contains("degraded - 2 of 3 replicas; more than 2 replicas were lost within 60 s; mfr-ctl restore"),
      "\(status)")
    try guest.waitForProgress()
    _ = try guest.ctl("restore")
    try guest.guest.waitUntilWhole()
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("mfr-ctl campaign breaks, waits until all is whole again, and sums it up", arguments: [1, 2])
  func campaign(level: Int) async throws {
    let guest = try await LiveGuest(level: level)
    let text = try guest.ctl(
      "campaign", "--faults", "kill,segv,poison", "--every", "50ms", "--for", "3s", "--seed", "5", "--json")
    let summary = try JSON.parse(text.utf8)
    let planted = ["kill", "segv", "poison"].compactMap { summary["planted"]?[$0]?.integer }
    #expect(planted.count == 3 && planted.reduce(0, +) > 10, "\(text)")
    #expect(summary["lost_for_good"]?.integer == 0, "\(text)")
    #expect(summary["state"]?.string == "protected", "\(text)")
    let (lost, recovered) = (summary["lost"]?.integer ?? 0, summary["recovered"]?.integer ?? 0)
    #expect(recovered > 5 && recovered <= lost, "\(text)")
    for times in ["us_to_decision", "us_to_in_step"] {
      let values = ["p50", "p99", "max"].compactMap { summary[times]?[$0]?.integer }
      #expect(values.count == 3 && values == values.sorted() && values[0] > 0, "\(text)")
    }
    let status = try guest.guest.status()
    #expect(status.lost == status.respawns)
    #expect(try guest.end() == .signalled(SIGTERM))
  }
}
