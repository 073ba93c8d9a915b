import Foundation
import Glibc
import MFRControl
import MFRHarness
import Testing

private let levels: [Int?] = [nil, 0, 2]
private let postgresPrograms: String? =
  File.names(in: "/usr/lib/postgresql").map { "/usr/lib/postgresql/\($0)/bin" }
  .first { File.isExecutable($0 + "/postgres") }

/// Servers whose processes share writable memory: they cannot be protected, and must run as without MFR, and be shown
/// as what they are. What is expected is first seen natively.
@Suite("Servers with workers that share memory", .serialized)
struct WorkerTests {
  /// What `mfr-ctl status` says of a set and of the processes that it has made.
  private func status(of anchor: pid_t, runtime: String, as user: Stranger? = nil) throws -> (
    set: JSON, processes: [JSON]
  ) {
    let tool = try user.map { $0.directory + "/mfr-ctl" } ?? Tools.path("mfr-ctl")
    let (ending, text, errors) = try output(
      of: (user?.prefix() ?? []) + ["env", "MFR_RUNTIME_DIR=\(runtime)", tool, "status", "--json"])
    guard ending == .exited(0) else { throw Failure("mfr-ctl status: \(ending) \(errors)") }
    let all = try JSON.parse(text.utf8)
    guard let set = all["sets"]?.array?.first(where: { $0["pid"]?.integer == Int64(anchor) }) else {
      throw Failure("no set \(anchor): \(text)")
    }
    return (set, all["processes"]?.array?.filter { $0["parent"]?.integer == Int64(anchor) } ?? [])
  }

  /// Children of a process that show this command line.
  private func children(of parent: pid_t, _ command: String) -> [pid_t] {
    MFRHarness.children(of: parent).filter {
      (try? File.text("/proc/\($0)/cmdline"))?.hasPrefix(command) == true && runs($0)
    }
  }

  // MARK: nginx

  private final class Nginx {
    let directory: String
    let port: UInt16
    let guest: MFRHarness.Guest
    var pid: pid_t { guest.child.pid }

    init(level: Int?) throws {
      directory = try File.temporaryDirectory("mfr-nginx-")
      port = try Port.free()
      mkdir(directory + "/run", 0o700)
      try File.makeDirectory(directory + "/www")
      try File.write(directory + "/www/big", Self.big)
      try Self.configure(directory, port, workers: 2, text: "one")
      guest = try MFRHarness.Guest(
        [try Tools.program("nginx"), "-c", directory + "/nginx.conf", "-e", directory + "/nginx.err"], level: level,
        name: "nginx", directory: directory, runtime: directory + "/run")
      let port = port
      guard wait(upTo: .seconds(20), until: { Port.isOpen(port) }) else { throw Failure("nginx does not listen") }
    }
    deinit {
      guest.child.stop(SIGTERM)
      File.removeTree(directory)
    }

    /// More than sockets hold: who sends it is at it until all of it has been read.
    static let big = (0..<(1 << 24)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }

    static func configure(_ directory: String, _ port: UInt16, workers: Int, text: String) throws {
      try File.write(
        directory + "/nginx.conf",
        """
        daemon off;
        user root;
        worker_processes \(workers);
        pid \(directory)/nginx.pid;
        error_log \(directory)/nginx.err notice;
        events { worker_connections 64; }
        http {
          access_log \(directory)/access.log;
          client_body_temp_path \(directory); proxy_temp_path \(directory); fastcgi_temp_path \(directory);
          uwsgi_temp_path \(directory); scgi_temp_path \(directory);
          server { listen 127.0.0.1:\(port); root \(directory)/www; location = /text { return 200 "\(text)"; } }
        }

        """)
    }

    /// An answer of which only the beginning has been read.
    func begin(_ path: String) throws -> (fd: Int32, start: [UInt8]) {
      let fd = try Port.connect(to: port)
      let request = "GET \(path) HTTP/1.0\r\n\r\n"
      try File.writeAll(fd, Array(request.utf8), what: "nginx")
      var start = [UInt8](repeating: 0, count: 512)
      let count = try call("read from nginx") { read(fd, &start, start.count) }
      return (fd, Array(start[..<count]))
    }
    func body(of answer: (fd: Int32, start: [UInt8])) throws -> [UInt8] {
      defer { close(answer.fd) }
      let all = answer.start + (try File.readAll(answer.fd, what: "nginx"))
      guard let end = all.firstRange(of: Array("\r\n\r\n".utf8)) else { throw Failure("no answer from nginx") }
      return Array(all[end.upperBound...])
    }
    func text(_ path: String) throws -> String { String(decoding: try body(of: begin(path)), as: UTF8.self) }

    func logged(_ file: String, _ text: String) -> Bool {
      (try? File.text(directory + "/" + file))?.contains(text) == true
    }
  }

  @Test("nginx: master and workers; SIGUSR1 reopens logs, SIGHUP reloads, SIGQUIT ends gracefully", arguments: levels)
  func nginx(level: Int?) throws {
    let nginx = try Nginx(level: level)
    let worker = "nginx: worker process"
    #expect(wait(upTo: .seconds(20)) { children(of: nginx.pid, worker).count == 2 })
    let first = children(of: nginx.pid, worker)
    #expect(try File.text(nginx.directory + "/nginx.pid") == "\(nginx.pid)\n")
    #expect(try nginx.text("/text") == "one")
    if let level {
      let (set, processes) = try status(of: nginx.pid, runtime: nginx.directory + "/run")
      #expect(set["state"]?.string == "unprotected")
      #expect(set["level"]?.integer == Int64(level))
      #expect(set["reason"]?.string == "shares writable memory with a child")
      #expect(set["replicas"]?.array?.count == 1)
      #expect(processes.compactMap { $0["pid"]?.integer } == first.map(Int64.init))
      #expect(processes.allSatisfy { $0["reason"]?.string == "maps writable shared memory" }, "\(processes)")
    }

    // Log reopen: what is asked afterwards stands in the new file.
    #expect(nginx.logged("access.log", "GET /text"))
    #expect(rename(nginx.directory + "/access.log", nginx.directory + "/access.old") == 0)
    kill(nginx.pid, SIGUSR1)
    var asked = 0
    let reopened = wait(upTo: .seconds(20)) {
      asked += 1
      guard (try? nginx.text("/text?\(asked)")) == "one" else { return false }
      return wait(upTo: .milliseconds(100)) { nginx.logged("access.log", "GET /text?\(asked) ") }
    }
    #expect(reopened)
    #expect(children(of: nginx.pid, worker) == first)

    // Reload: new workers with the new text; the old ones end when their last answer has been sent.
    let old = try nginx.begin("/big")
    try Nginx.configure(nginx.directory, nginx.port, workers: 3, text: "two")
    kill(nginx.pid, SIGHUP)
    #expect(wait(upTo: .seconds(20)) { (try? nginx.text("/text")) == "two" })
    #expect(wait(upTo: .seconds(20)) { children(of: nginx.pid, worker).filter { !first.contains($0) }.count == 3 })
    #expect(wait(upTo: .seconds(20)) { children(of: nginx.pid, worker).filter(first.contains).count == 1 })
    let whole = try nginx.body(of: old) == Nginx.big
    #expect(whole)
    #expect(wait(upTo: .seconds(20)) { !children(of: nginx.pid, worker).contains(where: first.contains) })

    // Graceful stop: nobody new is let in, what was begun is finished.
    let last = try nginx.begin("/big")
    kill(nginx.pid, SIGQUIT)
    #expect(wait(upTo: .seconds(20)) { !Port.isOpen(nginx.port) })
    #expect(nginx.guest.child.poll() == nil)
    let lastWhole = try nginx.body(of: last) == Nginx.big
    #expect(lastWhole)
    #expect(nginx.guest.child.waitForEnd(upTo: .seconds(20)) == .exited(0))
    #expect(children(of: nginx.pid, "nginx").isEmpty)
  }

  // MARK: postgres

  /// A session of psql that stays open.
  private final class Session {
    private let child: Child
    private let input: Int32
    private let output: Int32

    init(_ command: [String]) throws {
      var to: [Int32] = [-1, -1]
      var from: [Int32] = [-1, -1]
      try call("pipe") { pipe(&to) }
      try call("pipe") { pipe(&from) }
      defer {
        close(to[0])
        close(from[1])
      }
      input = to[1]
      output = from[0]
      child = try Child(command, descriptors: [to[0], from[1], from[1]])
    }

    /// The first line of the answer.
    func ask(_ question: String) throws -> String {
      try File.writeAll(input, Array((question + "\n").utf8), what: "psql")
      var line: [UInt8] = []
      var byte: UInt8 = 0
      while try call("read from psql", { read(output, &byte, 1) }) == 1, byte != 10 { line.append(byte) }
      return String(decoding: line, as: UTF8.self)
    }
    func end() -> Ending {
      close(input)
      defer { close(output) }
      return child.waitForEnd(upTo: .seconds(20)) ?? child.stop(SIGKILL)
    }
  }

  @Test(
    "postgres: SIGHUP reloads, its log is reopened, SIGTERM waits for sessions, SIGINT does not",
    .enabled(if: postgresPrograms != nil),
    arguments: levels)
  func postgres(level: Int?) async throws {
    // It refuses to be root.
    guard let user = try await Stranger(id: 65534) else { return }
    let programs = try #require(postgresPrograms)
    let directory = user.directory
    chown(directory, user.id, user.id)
    let data = directory + "/data"
    func run(_ command: [String]) throws -> (ending: Ending, out: String, error: String) {
      try output(of: user.prefix() + command, patience: .seconds(60))
    }
    let made = try run([programs + "/initdb", "-D", data, "-U", "mfr", "-A", "trust", "--no-sync", "--no-locale"])
    guard made.ending == .exited(0) else { throw Failure("initdb: \(made.error)") }
    try File.append(
      data + "/postgresql.conf",
      """
      listen_addresses = ''
      unix_socket_directories = '\(directory)'
      logging_collector = on
      log_directory = '\(directory)'
      log_filename = 'server.log'
      log_statement = all
      fsync = off

      """)
    func start() throws -> MFRHarness.Guest {
      let guest = try MFRHarness.Guest(
        [programs + "/postgres", "-D", data], level: level, name: "postgres", directory: directory,
        prefix: user.prefix(), tool: user.tool, runtime: user.runtime)
      guard wait(upTo: .seconds(30), until: { (try? ask("select 1")) == "1" }) else { throw Failure("no postgres") }
      return guest
    }
    let psql = [programs + "/psql", "-h", directory, "-U", "mfr", "-d", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"]
    func ask(_ question: String) throws -> String {
      let (ending, out, error) = try run(psql + ["-c", question])
      guard ending == .exited(0) else { throw Failure("\(question): \(ending) \(error)") }
      return out.trimmingCharacters(in: .newlines)
    }
    let guest = try start()
    defer { guest.child.stop(SIGKILL) }
    let pid = guest.child.pid
    #expect(try File.text(data + "/postmaster.pid").hasPrefix("\(pid)\n"))

    // Work of several sessions at once comes out right.
    #expect(
      try ask("create table t(k int primary key, n int); insert into t select k, 0 from generate_series(1,9) k;") == "")
    let sessions = try (0..<4).map { _ in
      try Child(
        user.prefix() + psql + [
          "-c", "do 'begin for i in 1..900 loop update t set n=n+1 where k=i%9+1; commit; end loop; end'",
        ])
    }
    for session in sessions { #expect(session.waitForEnd(upTo: .seconds(60)) == .exited(0)) }
    #expect(try ask("select sum(n), min(n), max(n) from t") == "3600|400|400")

    let open = try Session(user.prefix() + psql)
    let backend = try #require(pid_t(try open.ask("select pg_backend_pid();")))
    if let level {
      let (set, processes) = try status(of: pid, runtime: user.runtime, as: user)
      #expect(set["state"]?.string == "unprotected")
      #expect(set["level"]?.integer == Int64(level))
      #expect(set["reason"]?.string == "uses System V shared memory")
      let shown = Set(processes.compactMap { $0["pid"]?.integer })
      let there = MFRHarness.children(of: try #require(guest.status().leader).pid).filter(runs).map(Int64.init)
      #expect(there.count >= 6 && shown.isSuperset(of: there), "\(shown) \(there)")
      #expect(shown.contains(Int64(backend)))
      let reason = "made by a program that had given its protection up"
      #expect(processes.allSatisfy { $0["reason"]?.string == reason }, "\(processes)")
    }

    try File.append(data + "/postgresql.conf", "work_mem = '7MB'\n")
    kill(pid, SIGHUP)
    #expect(wait(upTo: .seconds(20)) { (try? open.ask("show work_mem;")) == "7MB" })

    let log = directory + "/server.log"
    #expect(rename(log, directory + "/server.old") == 0)
    try File.write(data + "/logrotate", "")
    kill(pid, SIGUSR1)
    #expect(wait(upTo: .seconds(20)) { File.exists(log) })
    #expect(try ask("select 'into the new file'") == "into the new file")
    #expect(wait(upTo: .seconds(20)) { (try? File.text(log))?.contains("into the new file") == true })

    kill(pid, SIGTERM)
    #expect(wait(upTo: .seconds(20)) { (try? ask("select 1")) == nil })
    #expect(try open.ask("select 6*7;") == "42")
    #expect(guest.child.poll() == nil)
    #expect(open.end() == .exited(0))
    #expect(guest.child.waitForEnd(upTo: .seconds(20)) == .exited(0))

    let again = try start()
    defer { again.child.stop(SIGKILL) }
    #expect(try ask("select sum(n) from t") == "3600")
    let other = try Session(user.prefix() + psql)
    #expect(try other.ask("select 6*7;") == "42")
    kill(again.child.pid, SIGINT)
    #expect(again.child.waitForEnd(upTo: .seconds(20)) == .exited(0))
    #expect(other.end() != .exited(255))
    #expect(try File.text(log).contains("database system is shut down"))
  }
}
