import Glibc
import MFRControl

/// A running service and, for as long as it is asked to, its load.
public final class RunningService {
  public let service: Service
  public let directory: String
  public let port: UInt16
  public let guest: Guest
  private let behind: Guest?
  /// Where the load leaves what the server must have kept.
  private var ledger: String { directory + "/ledger.jsonl" }

  /// Starts the server, natively or at a level, and waits until it takes connections and is whole.
  public init(_ service: Service, level: Int?, directory: String, options: [String] = []) throws {
    self.service = service
    self.directory = directory
    port = try Port.free()
    let plan = try service.prepare(directory, port)
    behind = try plan.behind.map { try Guest($0.arguments, level: nil, name: "behind", directory: directory) }
    // Names of sets are unique on a machine.
    let name = "\(service.name)-\(getpid())-\(port)"
    guest = try Guest(plan.server, level: level, name: name, directory: directory, options: options)
    do {
      if let behind, let port = plan.behind?.port { try Self.waitForPort(port, behind) }
      try Self.waitForPort(port, guest)
      try guest.waitUntilWhole()
    } catch {
      stop()
      throw error
    }
  }

  /// Starts `mfr-load`; its report comes with `finish`.
  public func startLoad(
    seconds: Double, connections: Int = 16, rate: Double? = nil, timeout: Double = 10
  ) throws -> RunningLoad {
    try RunningLoad(
      [try Tools.path("mfr-load")] + service.load(directory) + [
        "--port", "\(port)", "--seconds", "\(seconds)", "--connections", "\(connections)", "--timeout", "\(timeout)",
        "--json",
      ] + (rate.map { ["--rate", "\($0)"] } ?? []) + (service.keepsFiles ? ["--ledger", ledger] : []),
      directory: directory)
  }

  /// Ends the server, starts it natively from the files that it has left, and asks it for all that was acknowledged.
  /// Returns what to say about it.
  public func checkFiles() throws -> String {
    guard let restarts = service.restarts else { return "" }
    let ending = guest.child.stop(patience: .seconds(30))
    guard Self.isEnd(ending) else { throw Failure("the server, asked to end: \(ending)") }
    let log = try File.text(directory + "/guest.out")
    for line in service.mustHaveSaid where !log.contains(line) { throw Failure("the server never said '\(line)'") }
    var said: [String] = []
    for (turn, _) in try restarts(directory, 0).enumerated() {
      let port = try Port.free()
      let arguments = try restarts(directory, port)[turn]
      let again = try Guest(arguments, level: nil, name: "again", directory: directory)
      defer { again.child.stop() }
      try Self.waitForPort(port, again)
      let (ending, out, error) = try output(
        of: [try Tools.path("mfr-load"), "replay", "--port", "\(port)", "--ledger", ledger], patience: .seconds(120))
      guard ending == .exited(0) else { throw Failure("started again: \(error)\(out)") }
      said.append(out.split(whereSeparator: \.isNewline).joined(separator: "; "))
      let end = again.child.stop(patience: .seconds(30))
      guard Self.isEnd(end) else { throw Failure("the server started again, asked to end: \(end)") }
    }
    return said.joined(separator: ", ")
  }

  /// beanstalkd has no handler.
  private static func isEnd(_ ending: Ending) -> Bool { ending == .exited(0) || ending == .signalled(SIGTERM) }

  /// Asks the server to end. Returns how it ended.
  @discardableResult
  public func stop() -> Ending {
    let ending = guest.child.stop()
    behind?.child.stop()
    return ending
  }

  private static func waitForPort(_ port: UInt16, _ guest: Guest) throws {
    let open = wait(upTo: .seconds(20)) { Port.isOpen(port) || guest.child.poll() != nil }
    if let ending = guest.child.ending { throw Failure("\(guest.child.arguments.joined(separator: " ")): \(ending)") }
    guard open else { throw Failure("\(guest.name) does not listen on port \(port)") }
  }
}

public final class RunningLoad {
  public let child: Child
  private let report: String

  init(_ arguments: [String], directory: String) throws {
    let report = directory + "/load.json"
    self.report = report
    let out = try call("create \(report)") { open(report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
    defer { close(out) }
    let error = try call("create load.err") {
      open(directory + "/load.err", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }
    defer { close(error) }
    child = try Child(arguments, descriptors: [nil, out, error])
  }

  public func finish(upTo limit: Duration) throws -> LoadReport {
    guard let ending = child.waitForEnd(upTo: limit) else {
      child.stop(SIGKILL)
      throw Failure("the load did not end within \(limit)")
    }
    let text = try File.text(report)
    guard ending == .exited(0) || ending == .exited(1), !text.isEmpty else {
      throw Failure("the load ended with \(ending)")
    }
    return try LoadReport(JSON.parse(text.utf8.drop { $0 != 0x7B }.prefix { $0 != 0x0A }))
  }
}
