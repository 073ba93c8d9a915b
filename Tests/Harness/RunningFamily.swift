import Glibc
import MFRControl

/// A running service of several processes, each of them a set of its own: a parent with workers, or a daemon that its
/// starter has left.
public final class RunningFamily {
  public let service: Service
  private let directory: String
  private let level: Int?
  private let port: UInt16
  private let starter: Guest
  private let runtime: String
  private var stopped = false

  /// Starts it, and waits until it takes connections and all its sets are whole.
  public init(_ service: Service, level: Int?, directory: String, options: [String] = []) throws {
    self.service = service
    self.level = level
    self.directory = directory
    runtime = directory + "/run"
    port = try Port.free()
    let plan = try service.prepare(directory, port)
    starter = try Guest(
      plan.server, level: level, name: "\(service.name)-\(getpid())-\(port)", directory: directory, options: options,
      runtime: runtime)
    do {
      let open = wait(upTo: .seconds(60)) { Port.isOpen(port) || hasFailed }
      guard open, !hasFailed else { throw Failure("\(service.name) does not listen on port \(port)") }
      try waitUntilWhole()
    } catch {
      stop()
      throw error
    }
  }

  private var hasFailed: Bool { starter.child.poll().map { $0 != .exited(0) || !service.isDaemon } ?? false }

  /// Every set of it that answers.
  public func sets() -> [SetStatus] { starter.sets() }

  public func waitUntilWhole() throws {
    guard let level, level > 0 else { return }
    var last: [SetStatus] = []
    let whole = wait(upTo: .seconds(60), every: .milliseconds(5)) {
      last = sets()
      return hasFailed || last.count >= service.processes && last.allSatisfy(\.isWhole)
    }
    guard whole, !hasFailed else {
      throw Failure("\(service.name) is not whole: \(last.map { "\($0.pid) \($0.line)" }.joined(separator: "; "))")
    }
  }

  public func startLoad(seconds: Double, connections: Int, rate: Double? = nil) throws -> RunningLoad {
    try RunningLoad(
      [try Tools.path("mfr-load")] + service.load(directory) + [
        "--port", "\(port)", "--seconds", "\(seconds)", "--connections", "\(connections)", "--json",
      ] + (rate.map { ["--rate", "\($0)"] } ?? []), directory: directory)
  }

  /// What a user would signal.
  private var pid: pid_t? {
    guard service.isDaemon else { return starter.child.pid }
    let text = try? File.text(directory + "/daemon.pid")
    return text?.split(whereSeparator: \.isWhitespace).first.flatMap { pid_t($0) }
  }

  /// Asks it to end; true if all of it has ended.
  @discardableResult
  public func stop() -> Bool {
    if stopped { return true }  // its pid may be another's by now
    stopped = true
    guard service.isDaemon else {
      let ending = starter.child.stop(patience: .seconds(20))
      return ending == .exited(0) && wait(upTo: .seconds(20)) { sets().isEmpty }
    }
    starter.child.stop()
    guard let pid, kill(pid, SIGTERM) == 0 else { return false }
    if wait(upTo: .seconds(20), until: { Self.isGone(pid) && sets().isEmpty }) { return true }
    kill(pid, SIGKILL)
    return false
  }

  private static func isGone(_ pid: pid_t) -> Bool {
    guard let stat = try? File.text("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return true }
    return stat[end...].dropFirst(2).first == "Z"  // nobody may reap it
  }
}
