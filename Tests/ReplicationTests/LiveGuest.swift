import Foundation
import Glibc
import MFRControl
import MFRHarness

/// A guest that runs until the test has seen enough: Tests/Support/counter.c, or another program.
///
/// Its output is a line for each number from 0 up; `end` checks that none is missing or doubled.
final class LiveGuest {
  let guest: MFRHarness.Guest
  let directory: String
  private static let number = Number()

  /// Starts it at a level and waits until it is protected. `megabytes`: what the counter holds besides; `pause`: microseconds
  /// between two of its lines.
  init(
    level: Int = 2, program: [String]? = nil, megabytes: Int? = nil, pause: Int = 5000, options: [String] = [],
    prefix: [String] = [], whole: Bool = true
  ) async throws {
    let counter = try await Builder.support("counter")
    directory = try File.temporaryDirectory("mfr-live-")
    guest = try MFRHarness.Guest(
      program ?? [counter, "\(megabytes ?? 0)", "\(pause)"], level: level,
      name: "live-\(getpid())-\(Self.number.next())", directory: directory,
      options: options, prefix: prefix)
    do {
      if whole { try guest.waitUntilWhole() }
      try waitForProgress()
    } catch {
      guest.child.stop(SIGKILL)
      throw error
    }
  }

  deinit {
    guest.child.stop(SIGKILL)
    File.removeTree(directory)
  }

  var anchor: pid_t { guest.child.pid }
  /// What it has said on its standard error.
  var errors: String { (try? File.text(directory + "/guest.err")) ?? "" }
  private var outputSize: off_t {
    var status = stat()
    return stat(directory + "/guest.out", &status) == 0 ? status.st_size : 0
  }

  /// Pids of the replicas, the leader's first.
  func replicas() throws -> [pid_t] {
    let all = try guest.status().replicas
    return all.sorted { ($0.role == "leader" ? 0 : 1, $0.index) < ($1.role == "leader" ? 0 : 1, $1.index) }.map(\.pid)
  }

  /// `mfr-ctl COMMAND NAME …`: what it printed; it must succeed.
  func ctl(_ command: String, _ arguments: String...) throws -> String {
    let words = [try Tools.path("mfr-ctl"), command, guest.name] + arguments
    let (ending, out, errors) = try output(of: words, patience: .seconds(60))
    guard ending == .exited(0) else { throw Failure("\(words.joined(separator: " ")): \(ending) \(out)\(errors)") }
    return out
  }

  /// Waits until a replica has gone, and all are there again.
  func waitForLoss(of victim: pid_t, upTo limit: Duration = .seconds(20)) throws {
    let gone = wait(upTo: limit) { (try? replicas())?.contains(victim) == false }
    guard gone else { throw Failure("replica \(victim) is still there: \(try guest.status().line)") }
    try guest.waitUntilWhole()
    try waitForProgress()
  }

  /// Events so far, by their name.
  func events(_ name: String) -> [JSON] {
    let text = (try? File.text(directory + "/events.jsonl")) ?? ""
    return text.split(separator: "\n").compactMap { try? JSON.parse($0.utf8) }.filter { $0["event"]?.string == name }
  }

  /// Kills one process of the set and waits until all replicas are there again, without it.
  func kill(replica victim: pid_t) throws {
    _ = Glibc.kill(victim, SIGKILL)
    let gone = wait(upTo: .seconds(10)) { (try? replicas())?.contains(victim) == false }
    guard gone else { throw Failure("replica \(victim) was killed and is still listed") }
    try guest.waitUntilWhole()
    try waitForProgress()
  }

  func waitForProgress() throws {
    let before = outputSize
    guard wait(upTo: .seconds(10), until: { outputSize > before }) else {
      throw Failure("no output for 10 s: \(try guest.status().line)")
    }
  }

  /// Ends the guest with SIGTERM and returns how it ended. Its output must be without a gap.
  func end() throws -> Ending {
    let ending = guest.child.stop(SIGTERM)
    let lines = try File.text(directory + "/guest.out").split(separator: "\n")
    for (index, line) in lines.enumerated() where line != "\(index)" {
      throw Failure("line \(index) of the output is '\(line)'")
    }
    return ending
  }

  /// The coordinator: the anchor's child of that name.
  func coordinator() -> pid_t? { guest.coordinator }
}

/// Whether a process runs; a zombie does not.
func runs(_ pid: pid_t) -> Bool {
  guard let text = try? File.text("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return false }
  return text[name...].dropFirst(2).first != "Z"
}

private final class Number: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0
  func next() -> Int {
    lock.withLock {
      value += 1
      return value
    }
  }
}
