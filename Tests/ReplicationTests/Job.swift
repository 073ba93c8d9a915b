import Foundation
import Testing

/// One program to run, natively or under mfr-run, always in the same way: see Tests/Support/guest-run.c.
struct Job: Sendable {
  enum Input: Sendable {
    case none
    case file(String)
    case pipe(String)
    case terminal(String, prompt: String?)

    var options: [String] {
      switch self {
      case .none: []
      case .file(let path): ["-i", path]
      case .pipe(let path): ["-p", path]
      case .terminal(let path, let prompt): ["-T", path] + (prompt.map { ["-P", $0] } ?? [])
      }
    }
  }

  let name: String
  let command: [String]
  var input = Input.none
  var fixture: String?
  /// Further options of `mfr-run`.
  var options: [String] = []
  /// What its events may tell of, beyond a run in step from start to end.
  var allowed: Set<Upset> = []

  /// A kind of event that shows duplicates that were not in step.
  enum Upset: String, CaseIterable, Sendable {
    case divergence
    case collapse
    case lost
  }

  /// A run that takes longer has hung.
  static let limit = Duration.seconds(30)

  private static let natives = Once<String, Outcome>()

  /// What it does without MFR; run once per test process.
  func native() async throws -> Outcome {
    try await Job.natives.get(name) {
      let outcome = try await run("native", under: []).outcome
      if !outcome.hung { discard("native") }
      return outcome
    }
  }

  /// Runs it at the level and expects what the native run gave, from replicas that stayed in step.
  func expectSame(_ level: Level) async throws {
    let expected = try await native()
    let mfr = try Repository.mfrRun()
    let label = "level-\(level.duplicates)"
    let events = directory(label).appendingPathComponent("events")
    try? FileManager.default.removeItem(at: events)
    let run = try await run(
      label, under: [mfr, "--level", "\(level.duplicates)", "--events", events.path] + options + ["--"])
    let wrong = expected.differences(from: run.outcome) + upsets(in: events)
    guard !wrong.isEmpty else { return discard(label) }
    Issue.record(
      """
      \(name) at level \(level.duplicates): \(wrong.joined(separator: "\n"))
      again: \(run.again)
      """)
  }

  /// The lines of the events file that must not be there.
  private func upsets(in events: URL) -> [String] {
    let wrong = Upset.allCases.filter { $0 == .lost ? allowed.isEmpty : !allowed.contains($0) }
    let text = (try? String(contentsOf: events, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init).filter { line in
      wrong.contains { line.contains("\"event\":\"\($0.rawValue)\"") }
    }
  }

  private func directory(_ label: String) -> URL {
    Repository.runs.appendingPathComponent("\(name).\(label)")
  }

  /// Removes what a good run left; a bad one keeps its directory.
  private func discard(_ label: String) {
    try? FileManager.default.removeItem(at: directory(label))
    rmdir(Repository.runs.path)
  }

  private func run(_ label: String, under prefix: [String]) async throws -> (
    outcome: Outcome, again: String
  ) {
    try await Builder.prepare()
    let directory = directory(label)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let options =
      ["-t", "\(Job.limit.components.seconds)"] + (fixture.map { ["-d", $0] } ?? []) + input.options
    let arguments = options + [directory.path] + prefix + command
    let outcome = try await Slots.runs.use {
      let (status, said) = try await Tool.run(Repository.guestRun.path, arguments)
      guard status < 2 else { throw Tool.Failure(description: "guest-run \(arguments): \(said)") }
      return try Outcome(of: directory)
    }
    return (
      outcome, ([Repository.guestRun.path, "-v"] + arguments).map(shellWord).joined(separator: " ")
    )
  }
}

/// How many duplicates a run has.
struct Level: Hashable, Sendable, CustomTestStringConvertible {
  let duplicates: Int

  static let all = [0, 1, 2].map(Level.init(duplicates:))
  static let two = Level(duplicates: 2)

  var testDescription: String { "level \(duplicates)" }
}

/// All that came of a run.
struct Outcome: Sendable {
  let status: String
  let stdout: Data
  let stderr: Data
  let tree: String

  init(of directory: URL) throws {
    func read(_ name: String) throws -> Data {
      try Data(contentsOf: directory.appendingPathComponent(name))
    }
    status = String(decoding: try read("status"), as: UTF8.self).trimmingCharacters(in: .newlines)
    stdout = try read("stdout")
    stderr = try read("stderr")
    tree = String(decoding: try read("tree"), as: UTF8.self)
  }

  /// It did not end by itself, or left a process behind.
  var hung: Bool { status.contains("timeout") || status.contains("left ") }

  var lastLine: String {
    String(decoding: stdout, as: UTF8.self).split(whereSeparator: \.isNewline).last.map(String.init)
      ?? ""
  }

  /// One text per part in which the other differs, with the place.
  func differences(from other: Outcome) -> [String] {
    var texts: [String] = []
    if status != other.status {
      texts.append("status: natively '\(status)', here '\(other.status)'")
    }
    for (name, mine, its) in [
      ("stdout", stdout, other.stdout), ("stderr", stderr, other.stderr),
      ("files", Data(tree.utf8), Data(other.tree.utf8)),
    ] where mine != its {
      let place =
        zip(mine, its).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        ?? min(mine.count, its.count)
      texts.append(
        """
        \(name): natively \(mine.count) bytes, here \(its.count), different from byte \(place):
          natively: \(Outcome.line(of: mine, at: place))
          here:     \(Outcome.line(of: its, at: place))
        """)
    }
    return texts
  }

  private static func line(of data: Data, at place: Int) -> String {
    let newline = UInt8(ascii: "\n")
    let start = data[..<min(place, data.count)].lastIndex(of: newline).map { $0 + 1 } ?? 0
    let from = max(start, place - 100)
    guard from < data.count else { return "(end)" }
    let end = data[from...].firstIndex(of: newline) ?? data.count
    return String(
      String(decoding: data[from..<min(max(end, from), from + 200)], as: UTF8.self).debugDescription
    )
  }
}

/// A word as the shell must be given it.
func shellWord(_ word: String) -> String {
  let plain = word.unicodeScalars.allSatisfy {
    ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
      || "-_./=:,%+@".unicodeScalars.contains($0)
  }
  return plain && !word.isEmpty
    ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
}
