import Foundation
import Glibc
import MFRControl
import MFRHarness
import Testing

/// What is limited or refused costs protection, with one clear reason, and never harms the guest.
@Suite("Shortages", .serialized)
struct ShortageTests {
  private static func limited(_ limits: String) -> [String] { ["/bin/sh", "-c", "\(limits); exec \"$@\"", "sh"] }

  private static func refuse(_ calls: String) async throws -> [String] {
    let program = Repository.build.appendingPathComponent("refuse")
    try await Builder.compile(Repository.root.appendingPathComponent("Tests/Support/refuse.c"), to: program)
    return [program.path, calls]
  }

  /// It is protected, and gets over the loss of its leader.
  private func expectProtected(_ prefix: [String], options: [String] = []) async throws {
    let guest = try await LiveGuest(options: options, prefix: prefix)
    try guest.kill(replica: try guest.replicas()[0])
    #expect(guest.events("unsettled").isEmpty)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  /// A program that ends by itself runs as it would without MFR, with a warning.
  private func expectUnprotected(_ prefix: [String], because reason: String) throws {
    let (ending, out, errors) = try output(of: prefix + [try Tools.path("mfr-run"), "/bin/echo", "hello"])
    #expect(ending == .exited(0) && out == "hello\n", "\(ending) \(out)")
    #expect(errors.split(separator: "\n").count == 1 && errors.contains(" runs unprotected: \(reason)"), "\(errors)")
  }

  // MARK: limits of a process

  @Test("Few descriptors")
  func descriptors() async throws {
    try expectUnprotected(Self.limited("ulimit -n 4"), because: "/dev/null: Too many open files")
    try await expectProtected(Self.limited("ulimit -n 10"))
  }

  @Test("Small files: the limit of the program does not stop the coordinator")
  func fileSize() async throws {
    try expectUnprotected(Self.limited("ulimit -f 1"), because: "memory for the replicas to share: File too large")
    let guest = try await LiveGuest(prefix: Self.limited("ulimit -S -f 1"))
    for _ in 0..<4 { try guest.kill(replica: try guest.replicas()[0]) }
    let status = try guest.guest.status()
    #expect(status.lost == 4 && status.respawns == 4)
    _ = guest.guest.child.stop(SIGTERM)
  }

  @Test("Little address space")
  func addressSpace() async throws {
    // Enough for mfr-run, but not for the program with the buffer: found by trying.
    var seen: Set<String> = []
    for megabytes in stride(from: 4, through: 400, by: 12) where seen.count < 2 {
      let (ending, out, errors) = try output(
        of: Self.limited("ulimit -v \(megabytes * 1024)") + [try Tools.path("mfr-run"), "/bin/echo", "hello"])
      if ending == .exited(0) {
        #expect(out == "hello\n")
        seen.insert(errors.isEmpty ? "protected" : "unprotected")
        #expect(errors.isEmpty || errors.contains("runs unprotected"), "\(errors)")
      } else {
        #expect(!seen.contains("protected"), "\(megabytes) MB: \(ending) \(errors)")
      }
    }
    #expect(seen.contains("protected"))
  }

  // MARK: the events file

  @Test("A full disk: the guest does not notice, status tells")
  func fullDisk() async throws {
    let guest = try await LiveGuest(options: ["--events", "/dev/full"])
    try guest.kill(replica: try guest.replicas()[0])
    let status = try guest.ctl("status")
    #expect(status.contains("cannot write events: No space left on device"), "\(status)")
    #expect(try guest.guest.status().state == "protected")
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A folder that cannot be written to: a warning at the start, status tells")
  func readOnly() async throws {
    let guest = try await LiveGuest(options: ["--events", "/proc/no-such-file"])
    let status = try guest.ctl("status")
    #expect(status.contains("cannot open /proc/no-such-file: No such file or directory"), "\(status)")
    #expect(try File.text(guest.directory + "/guest.err").contains("events are lost"))
    try guest.kill(replica: try guest.replicas()[0])
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  // MARK: refused calls

  @Test("What containers refuse does not matter, but for planting poison")
  func container() async throws {
    let guest = try await LiveGuest(prefix: try await Self.refuse("container"))
    let (ending, _, errors) = try output(of: [
      try Tools.path("mfr-ctl"), "inject", guest.guest.name, "--fault", "poison", "--replica", "follower",
    ])
    #expect(ending == .exited(1) && errors.contains("no poisoned page can be planted"), "\(errors)")
    #expect(errors.split(separator: "\n").count == 1)
    try guest.kill(replica: try guest.replicas()[0])
    #expect(guest.events("unsettled").isEmpty)
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test(
    "Other ways are found where a call is refused",
    arguments: ["memfd_create", "populate", "mincore", "memfd_create,populate,mincore"])
  func otherWays(calls: String) async throws { try await expectProtected(try await Self.refuse(calls)) }

  @Test("Without Syscall User Dispatch the program runs unprotected, and status says why")
  func noDispatch() async throws {
    let guest = try await LiveGuest(prefix: try await Self.refuse("user-dispatch"), whole: false)
    let status = try guest.ctl("status")
    #expect(status.contains("unprotected - the kernel has no Syscall User Dispatch"), "\(status)")
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("Without UNIX sockets nobody can ask, and the events tell")
  func noSockets() async throws {
    let directory = try File.temporaryDirectory("mfr-shortage-")
    defer { File.removeTree(directory) }
    let (ending, out, errors) = try output(
      of: try await Self.refuse("sockets") + [
        try Tools.path("mfr-run"), "--events", directory + "/events", "/bin/echo", "hello",
      ])
    #expect(ending == .exited(0) && out == "hello\n" && errors.isEmpty, "\(ending) \(errors)")
    #expect(try File.text(directory + "/events").contains("no control socket"))
  }

  // MARK: another user

  @Test("An ordinary user: protected, and losses are settled")
  func ordinaryUser() async throws {
    guard let stranger = try await Stranger() else { return }
    chown(stranger.directory, 54321, 54321)
    let guest = try stranger.start()
    defer { guest.child.stop(SIGKILL) }
    try guest.waitUntilWhole()
    for _ in 0..<3 {
      let victim = try #require(try guest.status().leader).pid
      kill(victim, SIGKILL)
      #expect(wait(upTo: .seconds(10)) { (try? guest.status())?.replicas.contains { $0.pid == victim } == false })
      try guest.waitUntilWhole()
    }
    #expect(guest.child.stop(SIGTERM) == .signalled(SIGTERM))
    let lines = try File.text(stranger.directory + "/guest.out").split(separator: "\n")
    #expect(lines.enumerated().allSatisfy { $0.element == "\($0.offset)" })
    #expect(try !File.text(stranger.directory + "/events.jsonl").contains("unsettled"))
  }

  @Test("No free process: fewer duplicates and a reason, or none and a warning; more of them as soon as there is room")
  func processes() async throws {
    guard let stranger = try await Stranger() else { return }
    chown(stranger.directory, 54321, 54321)
    // The first limit that has room for anchor, coordinator and a replica, but not for all of it. Who of them comes
    // first is open.
    var guest = try stranger.start(6)
    defer { guest.child.stop(SIGKILL) }
    var told = false
    for limit in 7...14 where !told {
      let known = wait(upTo: .seconds(20)) {
        let events = (try? File.text(stranger.directory + "/events.jsonl")) ?? ""
        told =
          events.contains("cloning failed: the limit of processes is reached")
          || events.contains("no control thread: Resource temporarily unavailable") && events.contains("in_step")
        return told || (try? File.text(stranger.directory + "/guest.err"))?.contains("runs unprotected") == true
      }
      #expect(known)
      if told { break }
      guest.child.stop(SIGKILL)
      for name in ["events.jsonl", "guest.err", "guest.out"] { unlink(stranger.directory + "/" + name) }
      guest = try stranger.start(limit)
    }
    #expect(told)
    for pid in guest.children + [guest.child.pid] {
      let (ending, _, errors) = try output(of: stranger.prefix() + ["prlimit", "--pid", "\(pid)", "--nproc=100:100"])
      #expect(ending == .exited(0), "\(errors)")
    }
    #expect(wait(upTo: .seconds(10)) { (try? guest.status()) != nil })
    let (ending, _, errors) = try output(
      of: ["env", "MFR_RUNTIME_DIR=\(stranger.runtime)"] + stranger.prefix()
        + [stranger.directory + "/mfr-ctl", "restore", "stranger"])
    #expect(ending == .exited(0), "\(errors)")
    try guest.waitUntilWhole()
    #expect(guest.child.stop(SIGTERM) == .signalled(SIGTERM))

    let (plain, out, warning) = try output(
      of: ["env", "MFR_RUNTIME_DIR=\(stranger.runtime)"] + stranger.prefix(1)
        + [stranger.tool, "/bin/echo", "hello"])
    #expect(plain == .exited(0) && out == "hello\n", "\(plain) \(warning)")
    #expect(warning.contains("runs unprotected: starting"), "\(warning)")
  }

  // MARK: memory

  /// A memory group of our own, where there may be one.
  private final class MemoryGroup {
    let path: String
    private let limitFile: String

    init?(megabytes: Int) throws {
      let name = "mfr-test-\(getpid())"
      if mkdir("/sys/fs/cgroup/memory/\(name)", 0o755) == 0 {
        path = "/sys/fs/cgroup/memory/\(name)"
        limitFile = path + "/memory.limit_in_bytes"
      } else if File.exists("/sys/fs/cgroup/cgroup.controllers"), mkdir("/sys/fs/cgroup/\(name)", 0o755) == 0 {
        path = "/sys/fs/cgroup/\(name)"
        limitFile = path + "/memory.max"
      } else {
        return nil
      }
      guard File.exists(limitFile), set(megabytes: megabytes) else {
        rmdir(path)
        return nil
      }
    }
    deinit { _ = wait(upTo: .seconds(5)) { rmdir(path) == 0 } }

    /// So many megabytes are left.
    func tighten(to megabytes: Int) -> Bool {
      let usage = path + (File.exists(path + "/memory.current") ? "/memory.current" : "/memory.usage_in_bytes")
      guard let used = (try? File.text(usage)).flatMap({ Int($0.dropLast()) }) else { return false }
      return write(limitFile, "\(used + (megabytes << 20))")
    }
    func set(megabytes: Int) -> Bool { write(limitFile, "\(megabytes << 20)") }
    private func write(_ file: String, _ text: String) -> Bool {
      let descriptor = open(file, O_WRONLY)
      defer { close(descriptor) }
      return descriptor >= 0 && Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count
    }
  }

  @Test("When memory is short the level stays degraded, with a reason, and nobody is killed for it")
  func memory() async throws {
    guard let group = try MemoryGroup(megabytes: 200) else { return }
    let counter = Repository.build.appendingPathComponent("counter")
    let enter = ["/bin/sh", "-c", "echo $$ > \(group.path)/cgroup.procs; exec \"$@\"", "sh"]
    try await Builder.compile(Repository.root.appendingPathComponent("Tests/Support/counter.c"), to: counter)
    // At level 0 it takes 90 MB; one duplicate has room, a second one has not.
    let guest = try await LiveGuest(level: 0, program: [counter.path, "90"], prefix: enter)
    _ = try guest.ctl("set-level", "2")
    var status = ""
    let degraded = wait(upTo: .seconds(20)) {
      status = (try? guest.ctl("status")) ?? ""
      return status.contains("degraded - 2 of 3 replicas; memory is short: a replica needs ")
    }
    #expect(degraded, "\(status)")
    try guest.waitForProgress()
    #expect(guest.events("lost").isEmpty)
    #expect(group.set(megabytes: 400))
    _ = try guest.ctl("restore")
    try guest.guest.waitUntilWhole()

    // It gets less while they run: one leaves before the kernel kills somebody.
    #expect(group.tighten(to: 2))
    let shed = wait(upTo: .seconds(20)) {
      status = (try? guest.ctl("status")) ?? ""
      return status.contains("degraded - 2 of 3 replicas; memory is short: a replica needs ")
    }
    #expect(shed, "\(status)")
    try guest.waitForProgress()
    #expect(guest.events("lost").isEmpty, "\(guest.events("lost"))")
    #expect(try guest.end() == .signalled(SIGTERM))
  }
}
