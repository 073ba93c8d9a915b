import Glibc
import MFRControl

/// A program under test: native, or under `mfr-run` at a level.
public final class Guest {
  public let level: Int?
  public let name: String
  public let child: Child
  public let events: EventLog?
  /// Where its control socket is.
  private let runtime: String

  /// `level` nil: native. Output goes to `directory/guest.out` and `guest.err` unless descriptors are given.
  /// `prefix`: a command that becomes `mfr-run` (or the program), with fewer rights, say. `tool`: another `mfr-run`.
  public init(
    _ arguments: [String], level: Int?, name: String, directory: String, descriptors: [Int32?]? = nil,
    options: [String] = [], prefix: [String] = [], tool: String? = nil, runtime: String? = nil
  ) throws {
    self.level = level
    self.runtime = runtime ?? RuntimeDirectory.path
    self.name = name
    let out = try call("create guest.out") {
      open(directory + "/guest.out", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }
    defer { close(out) }
    let error = try call("create guest.err") {
      open(directory + "/guest.err", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }
    defer { close(error) }
    let given = descriptors ?? [nil, out, error]
    guard let level else {
      events = nil
      child = try Child(prefix + arguments, descriptors: given, directory: directory)
      return
    }
    let file = directory + "/events.jsonl"
    let command =
      prefix + [try tool ?? Tools.path("mfr-run"), "--level", "\(level)", "--name", name, "--events", file] + options
    let environment = runtime.map { ["MFR_RUNTIME_DIR": $0] } ?? [:]
    child = try Child(
      command + ["--"] + arguments, descriptors: given, directory: directory, environment: environment)
    events = EventLog(file)
  }

  /// Asks the coordinator over its socket, as `mfr-ctl` does, without a process for it.
  public func ask(_ request: ControlRequest) throws -> JSON {
    try Self.ask(request, anchor: child.pid, runtime: runtime)
  }

  public static func ask(
    _ request: ControlRequest, anchor: pid_t, runtime: String = RuntimeDirectory.path
  ) throws -> JSON {
    let fd = try Port.connect(path: RuntimeDirectory.socket(in: runtime, anchor: anchor))
    defer { close(fd) }
    // A coordinator that is stopped, or waits for one to take its place, answers nobody: that is for the caller to know.
    var patience = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    // No SIGPIPE: the coordinator may die at this moment.
    let text = Array((request.json.text + "\n").utf8)
    let sent = send(fd, text, text.count, Int32(MSG_NOSIGNAL))
    guard sent == text.count else { throw SystemError("write control socket") }
    let line = try File.readAll(fd, what: "control socket").prefix { $0 != 0x0A }
    guard !line.isEmpty else { throw Failure("the coordinator of \(anchor) closed the connection without an answer") }
    let answer = try JSON.parse(line)
    guard answer["ok"]?.bool == true else { throw Failure(answer["error"]?.string ?? "no answer from the coordinator") }
    return answer
  }

  public func status() throws -> SetStatus { try status(ofAnchor: child.pid) }

  /// Of one of its children that is a set, too.
  public func status(ofAnchor anchor: pid_t) throws -> SetStatus {
    try Self.status(ofAnchor: anchor, runtime: runtime)
  }

  /// Every set that answers where this guest's control socket is.
  public func sets() -> [SetStatus] {
    RuntimeDirectory.anchors(in: runtime).compactMap { try? status(ofAnchor: $0) }
  }

  public static func status(ofAnchor anchor: pid_t, runtime: String = RuntimeDirectory.path) throws -> SetStatus {
    guard let set = try ask(.status, anchor: anchor, runtime: runtime)["set"].flatMap({ SetStatus(json: $0) }) else {
      throw Failure("\(anchor): no status")
    }
    return set
  }

  /// Children of the anchor, the oldest first.
  public var children: [pid_t] { MFRHarness.children(of: child.pid) }

  public var coordinator: pid_t? {
    children.first { (try? File.text("/proc/\($0)/cmdline"))?.hasPrefix("mfr-coordinator") == true }
  }

  /// Waits until all replicas are in step. A native guest is so at once.
  public func waitUntilWhole(upTo limit: Duration = .seconds(20)) throws {
    guard level != nil else { return }
    var last = "no status yet"
    let whole = wait(upTo: limit, every: .milliseconds(5)) {
      guard child.poll() == nil else { return true }
      do {
        let now = try status()
        last = now.line
        return now.isWhole
      } catch {
        last = "\(error)"
        return false
      }
    }
    if let ending = child.ending { throw Failure("\(name) ended with \(ending)") }
    guard whole else { throw Failure("\(name) is not whole after \(limit): \(last)") }
  }

  /// CPU time of a process and all its threads.
  public static func cpuTime(of pid: pid_t) -> Duration? {
    var total: Int64 = 0
    let threads = File.names(in: "/proc/\(pid)/task")
    guard !threads.isEmpty else { return nil }
    for thread in threads {
      guard let text = try? File.text("/proc/\(pid)/task/\(thread)/schedstat"),
        let first = text.split(separator: " ").first.flatMap({ Int64($0) })
      else { continue }
      total += first
    }
    return .nanoseconds(total)
  }
}

/// Follows a file to which `mfr-run` appends one JSON object per event.
public final class EventLog {
  private let path: String
  private var fd: Int32 = -1
  private var rest: [UInt8] = []

  init(_ path: String) { self.path = path }
  deinit { if fd >= 0 { close(fd) } }

  /// What was written since the last time.
  public func fresh() throws -> [JSON] {
    if fd < 0 { fd = open(path, O_RDONLY | O_CLOEXEC) }
    guard fd >= 0 else { return [] }
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
      let n = try chunk.withUnsafeMutableBytes { bytes in
        try call("read \(path)") { read(fd, bytes.baseAddress, bytes.count) }
      }
      if n == 0 { break }
      rest.append(contentsOf: chunk[..<n])
    }
    guard let end = rest.lastIndex(of: 0x0A) else { return [] }
    let lines = rest[...end].split(separator: 0x0A)
    let events = try lines.map { try JSON.parse($0) }
    rest.removeSubrange(...end)
    return events
  }
}

/// Children of a process, by pid; zombies too.
public func children(of parent: pid_t) -> [pid_t] {
  // Not by /proc/PID/task/TID/children: not every kernel has it, and it is a list for each thread.
  File.names(in: "/proc").compactMap { pid_t($0) }.filter { pid in
    guard let text = try? File.text("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return false }
    return text[name...].split(separator: " ").dropFirst(2).first.flatMap { pid_t($0) } == parent
  }.sorted()
}
