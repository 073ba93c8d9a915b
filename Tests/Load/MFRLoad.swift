import ArgumentParser
import Glibc
import MFRHarness

@main
struct MFRLoad: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mfr-load",
    abstract: "Puts a server on this machine under load and checks every byte of its answers.",
    discussion: "Exits with status 1 if an answer was missing, wrong or doubled.",
    subcommands: [HTTP.self, Beanstalk.self, Redis.self, Memcached.self, Replay.self])
}

/// The options that all loads have.
struct LoadOptions: ParsableArguments {
  @Option(help: "Port on 127.0.0.1.")
  var port: UInt16
  @Option(help: "Connections at the same time.")
  var connections = 16
  @Option(help: "How long to go on. Default 10, if --requests is not given.")
  var seconds: Double?
  @Option(help: "Stop after this many requests.")
  var requests: Int?
  @Option(help: "Seconds without a complete answer that count as an error.")
  var timeout = 10.0
  @Option(help: "Requests per second of all connections together. Without it, as many as get an answer.")
  var rate: Double?
  @Flag(help: "Report as one JSON object.")
  var json = false
  @Flag(help: "Write a line on standard error every half second.")
  var progress = false

  func validate() throws {
    guard (1...1000).contains(connections) else { throw ValidationError("--connections: 1 to 1000") }
    guard seconds ?? 1 > 0, seconds ?? 1 <= 3600 else { throw ValidationError("--seconds: up to 3600") }
    guard rate ?? 1 > 0 else { throw ValidationError("--rate: more than 0") }
    guard requests ?? 1 > 0 else { throw ValidationError("--requests: at least 1") }
  }

  func load(_ name: String) -> Load {
    Load(
      name: name, port: port, seconds: seconds ?? (requests == nil ? 10 : nil), requests: requests,
      timeout: .seconds(fraction: timeout), rate: rate, progress: progress)
  }

  func report<Talk>(_ engine: Engine<Talk>, check: (inout LoadReport) throws -> Void = { _ in }) throws {
    var report = try engine.run()
    try check(&report)
    say(json ? report.json.text : report.text)
    if !report.isClean { throw ExitCode.failure }
  }
}
