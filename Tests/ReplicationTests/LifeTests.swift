import Foundation
import Glibc
import MFRControl
import MFRHarness
import Testing

@Suite("The life of a replica set", .serialized)
struct LifeTests {
  @Test("Replicas have the guest's descriptors and no other")
  func descriptors() async throws {
    let guest = try await LiveGuest()
    let replicas = try guest.replicas()
    for pid in replicas {
      #expect(File.names(in: "/proc/\(pid)/fd") == ["0", "1", "2"], "replica \(pid)")
    }
    try guest.kill(replica: replicas[0])
    for pid in try guest.replicas() {
      #expect(File.names(in: "/proc/\(pid)/fd") == ["0", "1", "2"], "replica \(pid), after a loss")
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A guest that has a thread blocked at every place loses leaders and followers, and none of its threads")
  func threads() async throws {
    let guest = try await LiveGuest(program: [try await Builder.support("threads")])
    for _ in 0..<4 {
      let replicas = try guest.replicas()
      try guest.kill(replica: replicas[0])
      try guest.kill(replica: try guest.replicas()[1])
    }
    #expect(try guest.end() == .signalled(SIGTERM))
    #expect(guest.errors == "")
  }

  @Test("renice, taskset and choom of the guest's pid reach all replicas, also those made later")
  func standing() async throws {
    let guest = try await LiveGuest()
    for words in [
      ["renice", "-n", "5", "-p", "\(guest.anchor)"], ["taskset", "-p", "-c", "0", "\(guest.anchor)"],
      ["choom", "-n", "77", "-p", "\(guest.anchor)"],
    ] {
      #expect(try output(of: words).ending == .exited(0), "\(words)")
    }
    func standing(_ pid: pid_t) throws -> [String] {
      let fields = try File.text("/proc/\(pid)/stat").split(separator: ")")[1].split(separator: " ")
      let allowed = try File.text("/proc/\(pid)/status").split(separator: "\n").first {
        $0.hasPrefix("Cpus_allowed_list")
      }
      return ["\(fields[16])", "\(allowed ?? "")", try File.text("/proc/\(pid)/oom_score_adj")]
    }
    let wanted = try standing(guest.anchor)
    #expect(wanted == ["5", "Cpus_allowed_list:\t0", "77\n"])
    let all = wait(upTo: .seconds(20)) { (try? guest.replicas().map(standing))?.allSatisfy { $0 == wanted } ?? false }
    let seen = try guest.replicas().map(standing)
    #expect(all, "\(seen)")
    try guest.kill(replica: try guest.replicas()[0])
    let anew = try guest.replicas().map(standing)
    #expect(anew.allSatisfy { $0 == wanted }, "\(anew)")
    #expect(try standing(guest.anchor) == wanted)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("mfr-ctl status --json has all members, and no other")
  func statusKeys() async throws {
    let guest = try await LiveGuest()
    let (ending, text, errors) = try output(of: [try Tools.path("mfr-ctl"), "status", guest.guest.name, "--json"])
    #expect(ending == .exited(0) && errors == "", "\(ending) \(errors)")
    let document = try JSON.parse(text.utf8)
    #expect(Self.keys(document) == ["processes", "schema", "sets"])
    #expect(document["schema"]?.integer == 1)
    let sets = try #require(document["sets"]?.array)
    try #require(sets.count == 1)
    #expect(
      Self.keys(sets[0]) == [
        "bids", "calls", "divergences", "failovers", "id", "level", "lost", "name", "parent", "pid", "program",
        "reason",
        "replicas",
        "respawns", "state", "trouble",
      ])
    #expect(sets[0]["pid"]?.integer == Int64(guest.anchor))
    #expect(sets[0]["level"]?.integer == 2)
    #expect(sets[0]["state"]?.string == "protected")
    let replicas = try #require(sets[0]["replicas"]?.array)
    #expect(replicas.count == 3)
    for replica in replicas {
      #expect(Self.keys(replica) == ["index", "lag", "pid", "role", "sequence", "unshared"])
      #expect(replica["unshared"]?.bool == true)
    }
    #expect(replicas.compactMap { $0["role"]?.string }.sorted() == ["follower", "follower", "leader"])
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  private static func keys(_ json: JSON) -> [String] {
    guard case .object(let members) = json else { return [] }
    return members.map(\.key).sorted()
  }

  @Test("mfr-ctl set-level adds and removes duplicates while the guest runs")
  func levels() async throws {
    let guest = try await LiveGuest(level: 1)
    for level in [3, 0, 2] {
      let (ending, _, errors) = try output(of: [
        try Tools.path("mfr-ctl"), "set-level", guest.guest.name, "\(level)",
      ])
      #expect(ending == .exited(0), "\(errors)")
      var last = ""
      let reached = wait(upTo: .seconds(10)) {
        guard let now = try? guest.guest.status() else { return false }
        last = now.line
        return now.level == level && now.isWhole
      }
      #expect(reached, "level \(level): \(last)")
      try guest.waitForProgress()
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A coordinator that is killed is replaced, and its successor repairs")
  func coordinator() async throws {
    let guest = try await LiveGuest()
    for _ in 0..<3 {
      let first = try #require(guest.coordinator())
      _ = Glibc.kill(first, SIGKILL)
      let replaced = wait(upTo: .seconds(5)) { guest.coordinator().map { $0 != first } ?? false }
      #expect(replaced, "no coordinator after \(first)")
      try guest.waitForProgress()
      try guest.guest.waitUntilWhole()
      try guest.kill(replica: try guest.replicas()[0])
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A broken table of replicas: places that nobody takes again do not hold the leader up, a ring later")
  func replicasBroken() async throws {
    let guest = try await LiveGuest(pause: 20)
    // A place below the others is free: the new replicas do not take the places that the old ones have had.
    func places() throws -> [Int] { try guest.guest.status().replicas.map { Int($0.index) }.sorted() }
    for _ in 0..<200 where try places() == [0, 1, 2] { try guest.kill(replica: try guest.replicas()[1]) }
    let before = try places()
    try #require(before != [0, 1, 2])
    // The coordinator may not live to answer: it is replaced together with the page.
    _ = try? guest.ctl("inject", "--replica", "leader", "--fault", "poison", "--at", "buffer:replicas")
    let told = wait(upTo: .seconds(20)) { !guest.events("buffer").isEmpty }
    try #require(
      told,
      "anchor \(runs(guest.anchor) ? "lives" : "is gone"): \(guest.errors); \(guest.events("lost").suffix(4).map(\.text))"
    )
    try guest.guest.waitUntilWhole()
    let after = try places()
    try #require(!before.allSatisfy(after.contains), "\(before), then \(after)")
    let calls = try guest.guest.status().calls  // the ring has 8192 slots
    let wentOn = wait(upTo: .seconds(60)) { ((try? guest.guest.status().calls) ?? 0) > calls + 3 * 8192 }
    #expect(wentOn, "\((try? guest.guest.status().line) ?? "no status")")
    let hung = guest.events("lost").filter { $0["cause"]?["kind"]?.string == "hang" }
    #expect(hung.isEmpty, "\(hung.map(\.text))")
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A page of the buffer that breaks under a read of a file makes no read short", arguments: ["read", "pread"])
  func wholeReads(call: String) async throws {
    let program = try await Builder.support("whole-reads")
    let guest = try await LiveGuest(program: [program, call])
    for number in 1...5 {
      // What is read fills nearly all of the ring: the kernel meets the page first. (No answer: see replicasBroken.)
      _ = try? guest.ctl(
        "inject", "--replica", "leader", "--fault", "poison", "--at", "buffer:data", "--seed", "\(number)")
      let told = wait(upTo: .seconds(20)) { guest.events("buffer").count >= number }
      try #require(told, "\((try? guest.guest.status().line) ?? "no status") \(guest.errors)")
      try guest.guest.waitUntilWhole()
      try guest.waitForProgress()
    }
    #expect(try guest.end() == .signalled(SIGTERM), "\(guest.errors)")
  }

  @Test(
    "A read or write of a file that a kill cuts short between two of its pages goes on with the rest",
    arguments: [
      ["whole-reads", "read", "cold"], ["whole-reads", "pread", "cold"], ["whole-reads", "readv", "cold"],
      ["whole-reads", "preadv", "cold"], ["whole-writes", "write"], ["whole-writes", "pwrite"],
      ["whole-writes", "writev"], ["whole-writes", "pwritev"],
    ])
  func cutShort(words: [String]) async throws {
    let guest = try await LiveGuest(program: [try await Builder.support(words[0])] + words.dropFirst())
    for _ in 0..<40 { try guest.kill(replica: try guest.replicas()[0]) }
    #expect(try guest.end() == .signalled(SIGTERM), "\(guest.errors)")
  }

  @Test("A leader that waits for the repair of the buffer and is overtaken meanwhile is not the one that stays")
  func overtakenWhileWaiting() async throws {
    let guest = try await LiveGuest(pause: 20)
    let leader = try guest.replicas()[0]
    // The anchor repairs, when it comes to it: not while a debugger holds it.
    let commands = Pipe()  // none comes
    let debugger = try Child(
      [try Tools.program("gdb"), "-nx", "-q", "-p", "\(guest.anchor)"],
      descriptors: [commands.fileHandleForReading.fileDescriptor, nil, nil])
    defer { debugger.stop(SIGKILL) }
    func isHeld() -> Bool {
      File.names(in: "/proc/\(guest.anchor)/task").allSatisfy { task in
        (try? File.text("/proc/\(guest.anchor)/task/\(task)/stat"))?.contains(") t ") == true
      }
    }
    try #require(wait(upTo: .seconds(30), until: isHeld))
    _ = try guest.ctl("inject", "--replica", "leader", "--fault", "poison", "--at", "buffer:slots")
    let overtaken = wait(upTo: .seconds(20)) { (try? guest.replicas().first).map { $0 != leader } ?? false }
    #expect(overtaken, "\((try? guest.guest.status().line) ?? "no status")")
    debugger.stop(SIGKILL)  // it lets go
    try guest.waitForLoss(of: leader)
    #expect(guest.events("divergence").isEmpty)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A follower in whose memory a deadly signal has come up from nowhere goes, and the guest goes on")
  func signalFromNowhere() async throws {
    let guest = try await LiveGuest()
    let victim = try guest.replicas()[1]
    let memory = try call("open /proc/\(victim)/mem") { open("/proc/\(victim)/mem", O_RDWR | O_CLOEXEC) }
    defer { close(memory) }
    let line = try #require(
      try File.text("/proc/\(victim)/maps").split(separator: "\n").first { $0.hasSuffix("[stack]") })
    let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt64($0, radix: 16) }
    try #require(ends.count == 2)
    var stack = [UInt32](repeating: 0, count: Int(ends[1] - ends[0]) / 4)
    // struct mfr_call of a clock_nanosleep(0, 0, …) lies there: nr, no_restart, signo, pad, a[0], a[1].
    let wanted: [UInt32] = [230, 0, 0]
    let gone = wait(upTo: .seconds(20), every: .milliseconds(1)) {
      guard stack.withUnsafeMutableBytes({ pread(memory, $0.baseAddress, $0.count, off_t(ends[0])) }) > 0 else {
        return true
      }
      for at in 0..<stack.count - 8
      where Array(stack[at..<at + 3]) == wanted && stack[at + 4..<at + 8].allSatisfy({ $0 == 0 }) {
        var signal: UInt32 = 64
        _ = pwrite(memory, &signal, 4, off_t(ends[0]) + off_t(at + 2) * 4)
      }
      return !runs(victim)
    }
    #expect(gone)
    try guest.waitForLoss(of: victim)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test(
    "A replica that takes a wrong way and ends itself goes, and the guest goes on", arguments: [SIGKILL, SIGTERM],
    [0, 1])
  func endsItselfAlone(signal: Int32, place: Int) async throws {
    let guest = try await LiveGuest()
    let victim = try guest.replicas()[place]
    let memory = try call("open /proc/\(victim)/mem") { open("/proc/\(victim)/mem", O_RDWR | O_CLOEXEC) }
    defer { close(memory) }
    let line = try #require(
      try File.text("/proc/\(victim)/maps").split(separator: "\n").first {
        $0.contains(" rw-p ") && $0.hasSuffix("/counter")
      })
    let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt64($0, radix: 16) }
    try #require(ends.count == 2)
    var data = [UInt8](repeating: 0, count: Int(ends[1] - ends[0]))
    try #require(data.withUnsafeMutableBytes { pread(memory, $0.baseAddress, $0.count, off_t(ends[0])) } == data.count)
    let name = Array("signal of a flipped bit\0".utf8)
    let at = try #require(data.indices.first { data[$0...].starts(with: name) })
    var wrong = signal
    try #require(pwrite(memory, &wrong, 4, off_t(ends[0]) + off_t(at + name.count)) == 4)
    try guest.waitForLoss(of: victim)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("kill -9 of mfr-run ends the guest, as it would without MFR, and leaves nothing")
  func anchor() async throws {
    let guest = try await LiveGuest()
    let processes = try guest.replicas() + [try #require(guest.coordinator())]
    _ = Glibc.kill(guest.anchor, SIGKILL)
    #expect(guest.guest.child.waitForEnd() == .signalled(SIGKILL))
    let gone = wait(upTo: .seconds(5)) { !processes.contains(where: runs) }
    #expect(gone, "still there: \(processes.filter(runs))")
    let (_, list, _) = try output(of: [try Tools.path("mfr-ctl"), "list"])
    #expect(!list.contains(guest.guest.name))
  }

  @Test(
    "A guest that changes its user and executes a program stays protected, with its descriptors and no other",
    .enabled(if: getuid() == 0))
  func executesAsOtherUser() async throws {
    guard let user = try await Stranger(id: 65534) else { return }
    let program =
      "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execv('\(user.counter)', ['counter'])"
    let guest = try MFRHarness.Guest(
      ["/usr/bin/python3", "-c", program], level: 2, name: "changes-user", directory: user.directory, tool: user.tool)
    defer { guest.child.stop(SIGKILL) }
    let executed = wait(upTo: .seconds(20)) {
      guard let status = try? guest.status(), status.isWhole else { return false }
      return status.replicas.allSatisfy { (try? File.text("/proc/\($0.pid)/comm")) == "counter\n" }
    }
    #expect(executed)
    for replica in try guest.status().replicas {
      #expect(File.names(in: "/proc/\(replica.pid)/fd") == ["0", "1", "2"])
    }
    func users(_ pid: pid_t) -> [Substring]? {
      let lines = (try? File.text("/proc/\(pid)/status"))?.split(separator: "\n")
      return lines?.first { $0.hasPrefix("Uid:") }?.split(separator: "\t").dropFirst().map { $0 }
    }
    // The guest's pid shows the guest's user; who keeps its rights starts the next coordinator.
    let shown = wait(upTo: .seconds(20)) { users(guest.child.pid)?.prefix(2) == ["65534", "65534"] }
    #expect(shown, "\(users(guest.child.pid) ?? [])")
    let coordinator = try #require(guest.coordinator)
    kill(coordinator, SIGKILL)
    let replaced = wait(upTo: .seconds(20)) { guest.coordinator.map { $0 != coordinator } ?? false }
    #expect(replaced)
    #expect(try users(#require(guest.coordinator)) == ["0", "0", "0", "0"])
    let leader = try #require(try guest.status().replicas.first { $0.role == "leader" })
    kill(leader.pid, SIGKILL)
    try guest.waitUntilWhole()
    kill(guest.child.pid, SIGTERM)
    #expect(guest.child.waitForEnd(upTo: .seconds(10)) == .signalled(SIGTERM))
  }

  @Test(
    "kill -9 of mfr-run ends also a guest that has changed its user since, in step or by itself",
    .enabled(if: getuid() == 0), arguments: ["", "ctypes.CDLL(None).semctl(-1, 0, 0); "])
  func anchorOfOtherUser(first: String) async throws {
    let program =
      "import ctypes, os, time; \(first)os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
      + "while True: print(1, flush=True); time.sleep(0.01)"
    let guest = try await LiveGuest(program: ["/usr/bin/python3", "-c", program], whole: first.isEmpty)
    let processes = try guest.replicas() + [try #require(guest.coordinator())]
    try #require(processes.count == (first.isEmpty ? 4 : 2))
    _ = Glibc.kill(guest.anchor, SIGKILL)
    #expect(guest.guest.child.waitForEnd() == .signalled(SIGKILL))
    let gone = wait(upTo: .seconds(5)) { !processes.contains(where: runs) }
    #expect(gone, "still there: \(processes.filter(runs))")
  }
}
