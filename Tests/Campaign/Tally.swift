import ArgumentParser
import Glibc
import MFRHarness

/// Counts what passed; keeps the folder of what failed, and says how to repeat it.
struct Tally {
  private var passed = 0
  private var failed = 0
  private var failures: [String] = []

  /// Runs one case in a folder of its own. The body returns what to say about its success.
  mutating func run(
    _ label: String, keep: Bool, repeatWith again: String, _ body: (_ directory: String) throws -> String
  ) throws {
    let directory = try File.temporaryDirectory("mfr-campaign-")
    do {
      let success = try body(directory)
      passed += 1
      say("ok    \(label)  \(success)")
      if keep { say("      kept in \(directory)") } else { File.removeTree(directory) }
    } catch {
      failed += 1
      say("FAIL  \(label)  \(error)")
      say("      kept in \(directory)")
      say("      again: \(again)")
      failures.append(again)
    }
  }

  func finish() throws {
    if failures.count > 1 {
      say("\nto repeat what failed:")
      for again in failures { say("  \(again)") }
    }
    say("\(passed) passed, \(failed) failed")
    if failed > 0 { throw ExitCode.failure }
  }
}

struct CommonOptions: ParsableArguments {
  @Option(help: "Levels to run at, or 'native'. May be repeated. Default 1 and 2.")
  var level: [String] = []
  @Option(help: "Seed of all that is chosen at random.")
  var seed: UInt64 = 1
  @Option(help: "Signals that break a replica, separated by commas.")
  var signal = "KILL"
  @Flag(help: "Keep the folders also of what passed.")
  var keep = false

  func levels() throws -> [Int?] {
    try (level.isEmpty ? ["1", "2"] : level).map { text in
      if text == "native" { return nil }
      guard let number = Int(text), (0...15).contains(number) else { throw ValidationError("--level \(text)") }
      return number
    }
  }

  static let names: [String: Int32] = [
    "KILL": SIGKILL, "SEGV": SIGSEGV, "ILL": SIGILL, "FPE": SIGFPE, "BUS": SIGBUS, "ABRT": SIGABRT,
  ]

  func signals() throws -> [Int32] {
    try signal.split(separator: ",").map { name in
      guard let number = Self.names[String(name)] else { throw ValidationError("--signal \(name)") }
      return number
    }
  }
}
