import Foundation
import Glibc
import MFRHarness
import Testing

/// A shell's jobs, natively and under mfr-run: what the terminal shows must be the same.
@Suite("Job control", .serialized)
struct JobControlTests {
  /// `body` types commands; `run` stands before each program.
  private func expectSame(_ body: (TerminalSession, _ run: String) throws -> Void) throws {
    let native = try TerminalSession()
    try body(native, "")
    #expect(!native.shown.isEmpty)
    for level in [0, 2] {
      let run = "\(try Tools.path("mfr-run")) --level \(level) "
      let session = try TerminalSession()
      try body(session, run)
      #expect(session.shown.replacingOccurrences(of: run, with: "") == native.shown, "level \(level)")
    }
  }

  /// Waits until a process is stopped, and those of its children that are its replicas.
  private func allStop(_ pid: pid_t, replicas: Bool) -> Bool {
    MFRHarness.wait(upTo: .seconds(5)) {
      var pids = [pid]
      if replicas {
        guard let status = try? MFRHarness.Guest.status(ofAnchor: pid) else { return false }
        pids += status.replicas.map(\.pid)
      }
      return pids.allSatisfy { state($0) == "T" }
    }
  }
  private func state(_ pid: pid_t) -> Character? {
    guard let text = try? File.text("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return nil }
    return text[name...].dropFirst(2).first
  }

  @Test("^Z, jobs, fg")
  func suspend() throws {
    try expectSame { session, run in
      try session.type("\(run)cat\none\n")
      try session.wait(for: "one\r\n")
      try session.type("\u{1a}")
      try session.wait(for: TerminalSession.prompt)
      try session.command(Self.stoppedJobs)
      try session.type("fg\ntwo\n")
      try session.wait(for: "two\r\n")
      try session.type("\u{4}")
      try session.wait(for: TerminalSession.prompt)
      try session.command("echo status $?")
    }
  }

  /// Waits until the shell knows it, too.
  private static let stoppedJobs = "until [ -n \"$(jobs -s)\" ]; do sleep 0.01; done; jobs"

  /// Starts a job in the background; its pid is known once it runs. It begins with `script` when `go` is there.
  private func background(_ session: TerminalSession, _ run: String, _ script: String) throws -> pid_t {
    try session.command("rm -f pid go; \(run)sh -c 'echo $$ >pid; while [ ! -e go ]; do sleep 0.01; done; \(script)' &")
    return try #require(pid_t(try session.contents(of: "pid")))
  }

  @Test("Reading the terminal from the background stops the job, and fg lets it read")
  func backgroundRead() throws {
    try expectSame { session, run in
      let pid = try background(session, run, "exec cat")
      try File.write(session.directory + "/go", [])
      #expect(allStop(pid, replicas: !run.isEmpty), "\(run)")
      try session.command(Self.stoppedJobs)
      try session.type("fg\nthree\n")
      try session.wait(for: "three\r\n")
      try session.type("\u{4}")
      try session.wait(for: TerminalSession.prompt)
    }
  }

  @Test("Writing to the terminal from the background stops the job only with tostop")
  func backgroundWrite() throws {
    try expectSame { session, run in
      _ = try background(session, run, "echo from the background")
      try session.command("touch go; wait; stty tostop")
      let pid = try background(session, run, "echo from the background")
      try File.write(session.directory + "/go", [])
      #expect(allStop(pid, replicas: !run.isEmpty), "\(run)")
      try session.command(Self.stoppedJobs)
      try session.command("fg")
      // Who ignores SIGTTOU writes; who ignores SIGTTIN gets EIO.
      _ = try background(session, run, "trap \"\" TTOU TTIN; cat 2>/dev/null; echo cat: $?")
      try session.command("touch go; wait")
    }
  }

  @Test("kill -STOP of the program's pid stops all of it, and kill -CONT continues it")
  func stopByPid() throws {
    try expectSame { session, run in
      let pid = try background(session, run, "echo done")
      // Twice, as a stop may come while another one is being undone.
      for _ in 0..<2 {
        kill(pid, SIGSTOP)
        #expect(allStop(pid, replicas: !run.isEmpty), "\(run)")
        try session.command(Self.stoppedJobs)
        try session.command("bg >/dev/null")
      }
      try session.command("touch go; wait; echo status $?")
    }
  }

  @Test("A program that stops itself or its process group goes on where it stopped")
  func stopsItself() throws {
    try expectSame { session, run in
      try session.command("\(run)sh -c 'echo a; kill -STOP $$; echo b; kill -TSTP $$; echo c; kill -TSTP 0; echo d'")
      for _ in 0..<3 { try session.command("fg") }
      try session.command("echo status $?")
    }
  }

  @Test("A handler for SIGTSTP puts things in order first; SIGWINCH and SIGCONT come")
  func handler() throws {
    try expectSame { session, run in
      let program = """
        import os, signal, sys
        def say(text): os.write(1, (text + "\\n").encode())
        def stop(number, frame):
            say("in order")
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(0, signal.SIGTSTP)
            say("resumed")
        signal.signal(signal.SIGTSTP, stop)
        signal.signal(signal.SIGCONT, lambda n, f: say("continued"))
        signal.signal(signal.SIGWINCH, lambda n, f: say("size %d %d" % os.get_terminal_size()))
        say("ready")
        while sys.stdin.readline().strip() != "end": pass
        """
      try program.write(toFile: session.directory + "/program", atomically: true, encoding: .utf8)
      try session.type("\(run)python3 program\n")
      try session.wait(for: "ready")
      try session.type("\u{1a}")
      try session.wait(for: "Stopped")
      try session.wait(for: TerminalSession.prompt)
      try session.type("fg\n")
      try session.wait(for: "resumed")
      session.resize(rows: 30, columns: 100)
      try session.wait(for: "size 100 30")
      try session.command("end")
    }
  }

  @Test("SIGHUP comes when the terminal goes away")
  func hangUp() throws {
    for level in [nil, 0, 2] as [Int?] {
      let run = try level.map { "\(try Tools.path("mfr-run")) --level \($0) " } ?? ""
      let session = try TerminalSession()
      try session.type(
        "\(run)bash -c 'trap \"echo hung up >hup; exit\" HUP; echo ready; while :; do sleep 0.02; done'\n")
      try session.wait(for: "ready")
      session.hangUp()
      #expect(try session.contents(of: "hup") == "hung up")
    }
  }
}
