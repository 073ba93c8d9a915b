import Foundation
import Glibc
import MFRHarness
import Testing

/// Programs that store into files which they have mapped shared: the leader has the file, the others have copies.
@Suite("Files that are mapped shared", .serialized)
struct MappedFileTests {
  /// A native run and one at level 2 in which replicas are lost, each in a directory of its own.
  private func expectSame(
    _ command: [String], files: [String], input: String? = nil, every pause: Duration, failovers: Bool
  ) throws {
    var results: [[String: [UInt8]]] = []
    for level in [nil, 2] as [Int?] {
      let directory = try File.temporaryDirectory("mfr-mapped-")
      defer { File.removeTree(directory) }
      var descriptors: [Int32?]?
      if let input {
        let out = open(directory + "/out", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        descriptors = [open(input, O_RDONLY | O_CLOEXEC), out, nil]
      }
      defer { for descriptor in descriptors ?? [] { descriptor.map { _ = close($0) } } }
      let guest = try MFRHarness.Guest(
        command, level: level, name: "mapped-\(getpid())", directory: directory, descriptors: descriptors)
      defer { guest.child.stop(SIGKILL) }
      if level != nil {
        let losses = lose(guest, every: pause, failovers: failovers)
        #expect(losses > 0, "no replica was lost")
      }
      #expect(guest.child.waitForEnd(upTo: .seconds(60)) == .exited(0))
      var result: [String: [UInt8]] = [:]
      for file in files + [input == nil ? "guest.out" : "out"] {
        result[file] = FileManager.default.contents(atPath: directory + "/" + file).map { [UInt8]($0) } ?? []
      }
      results.append(result)
      guard level != nil, let events = guest.events else { continue }
      for event in try events.fresh() {
        let name = event["event"]?.string ?? ""
        #expect(!["divergence", "collapse", "unsettled"].contains(name), "\(event.text)")
      }
    }
    for (file, bytes) in results[0] {
      #expect(!bytes.isEmpty, "\(file) is empty")
      let same = results[1][file] == bytes  // not in the expectation: it would print all bytes
      #expect(same, "\(file) differs")
    }
  }

  /// Kills a replica, or makes another one lead, again and again until the guest ends. How many were killed.
  private func lose(_ guest: MFRHarness.Guest, every pause: Duration, failovers: Bool) -> Int {
    var random = SystemRandomNumberGenerator()
    var lost = 0
    while guest.child.poll() == nil {
      _ = wait(upTo: pause, every: .milliseconds(10)) { guest.child.poll() != nil }
      guard let status = try? guest.status(), let victim = status.replicas.randomElement(using: &random),
        status.replicas.count > 1, status.state == "protected"  // else it might be the last one that is whole
      else { continue }
      if failovers, Bool.random(using: &random) {
        _ = try? guest.ask(.failover)
      } else if kill(victim.pid, SIGKILL) == 0 {
        lost += 1
      }
    }
    return lost
  }

  @Test("Stores come into the file once each, whoever dies or leads")
  func stores() async throws {
    let program = Repository.build.appendingPathComponent("stores")
    try await Builder.compile(Repository.root.appendingPathComponent("Tests/Support/stores.c"), to: program)
    try expectSame(
      [program.path, "data", "3000"], files: ["data"], every: .milliseconds(30), failovers: true)
  }

  @Test("sqlite3 with a write-ahead log, a replica killed every 200 ms", .enabled(if: Tool.find("sqlite3") != nil))
  func sqlite() async throws {
    let script = try File.temporaryDirectory("mfr-sql-") + "/script"
    try Self.script.write(toFile: script, atomically: true, encoding: .utf8)
    defer { File.removeTree((script as NSString).deletingLastPathComponent) }
    try expectSame(
      [try #require(Tool.find("sqlite3")), "db"], files: ["db"], input: script, every: .milliseconds(200),
      failovers: false)
  }

  /// Inserts, updates, questions and checkpoints, the same ones each time.
  static let script: String = {
    var lines = [
      "PRAGMA journal_mode=WAL;", "PRAGMA wal_autocheckpoint=50;",
      "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT);",
    ]
    var state: UInt64 = 42
    func number(_ below: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % below
    }
    for step in 0..<2000 {
      switch number(100) {
      case 0..<70:
        let text = String(repeating: "x", count: Int(number(300)))
        lines.append("INSERT INTO t(a,b) VALUES('\(text)',\(number(1000)));")
      case 70..<80: lines.append("UPDATE t SET b=b+1 WHERE id%\(number(50) + 3)=0;")
      case 80..<90: lines.append("SELECT count(*),sum(b),max(length(a)) FROM t WHERE b<\(number(1000));")
      case 90..<93: lines.append("PRAGMA wal_checkpoint(PASSIVE);")
      case 93..<95: lines.append("PRAGMA wal_checkpoint(TRUNCATE);")
      default:
        lines.append("BEGIN; DELETE FROM t WHERE id%97=\(number(97)); INSERT INTO t(a,b) VALUES('y',\(step)); COMMIT;")
      }
    }
    lines.append("PRAGMA integrity_check; SELECT count(*),sum(b),sum(length(a)) FROM t;")
    return lines.joined(separator: "\n") + "\n"
  }()

  @Test("A file that another process opens for writing is no longer kept in copies")
  func foreign() async throws {
    let guest = try await LiveGuest(level: 2, program: Self.python)
    try guest.kill(replica: try guest.replicas()[0])
    let other = open(guest.directory + "/file", O_RDWR | O_CLOEXEC)
    defer { close(other) }
    #expect(other >= 0)
    let alone = wait(upTo: .seconds(10)) { (try? guest.guest.status())?.replicas.count == 1 }
    let status = try guest.guest.status()
    #expect(alone, "\(status.line)")
    #expect(status.reason == "maps a file that another process uses")
    try guest.waitForProgress()
    // Its own stores are in the file, and others can store there.
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(pread(other, &bytes, 8, 0) == 8 && bytes.contains { $0 != 0 })
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  /// Counts in a file that it has mapped.
  static let python = [
    Tool.find("python3") ?? "python3", "-c",
    """
    import mmap, os, time
    with open("file", "wb") as f: f.truncate(1 << 20)
    with open("file", "r+b") as f: m = mmap.mmap(f.fileno(), 0)
    a = mmap.mmap(-1, 1 << 16)
    n = 0
    while True:
        print(n, flush=True)
        n += 1
        m[0:8] = n.to_bytes(8, "little")
        at = n * 4096 % (1 << 20)
        m[at + 8:at + 16] = n.to_bytes(8, "little")
        a[n % (1 << 16)] = n & 255
        time.sleep(0.005)
    """,
  ]
}
