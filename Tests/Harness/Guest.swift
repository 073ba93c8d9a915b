import Glibc
import MFRControl

/// A program under test: native, or under `mfr-run` at a level.
public final class Guest {
  public let level: Int?
  public let name: String
  public let child: Child
  public let events: EventLog?

  /// `level` nil: native. Output goes to `directory/guest.out` and `guest.err` unless descriptors are given.
  public init(
    _ arguments: [String], level: Int?, name: String, directory: String, descriptors: [Int32?]? = nil,
    options: [String] = []
  ) throws {
    self.level = level
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
      child = try Child(arguments, descriptors: given, directory: directory)
      return
    }
    let file = directory + "/events.jsonl"
    let command = [try Tools.path("mfr-run"), "--level", "\(level)", "--name", name, "--events", file] + options
    child = try Child(command + ["--"] + arguments, descriptors: given, directory: directory)
    events = EventLog(file)
  }

  /// Asks the coordinator over its socket, as `mfr-ctl` does, without a process for it.
  public func ask(_ request: ControlRequest) throws -> JSON {
    let fd = try Port.connect(path: RuntimeDirectory.socket(in: RuntimeDirectory.path, anchor: child.pid))
    defer { close(fd) }
    try File.writeAll(fd, Array((request.json.text + "\n").utf8), what: "control socket")
    let line = try File.readAll(fd, what: "control socket").prefix { $0 != 0x0A }
    guard !line.isEmpty else { throw Failure("\(name): the coordinator closed the connection without an answer") }
    let answer = try JSON.parse(line)
    guard answer["ok"]?.bool == true else { throw Failure(answer["error"]?.string ?? "no answer from the coordinator") }
    return answer
  }

  public func status() throws -> SetStatus {
    guard let set = try ask(.status)["set"].flatMap({ SetStatus(json: $0) }) else {
      throw Failure("\(name): no status")
    }
    return set
  }

  /// Children of the anchor, as the kernel lists them; empty where it has no such list.
  public var children: [pid_t] {
    guard let text = try? File.text("/proc/\(child.pid)/task/\(child.pid)/children") else { return [] }
    return text.split(separator: " ").compactMap { pid_t($0) }
  }

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
