import CLinux
import Glibc

/// How a process ended.
public enum Ending: Sendable, Equatable, CustomStringConvertible {
  case exited(Int32)
  case signalled(Int32)

  init(waitStatus status: Int32) {
    let signal = status & 0x7f
    self = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
  }

  public var description: String {
    switch self {
    case .exited(let status): "exit status \(status)"
    case .signalled(let signal): "signal \(signal)"
    }
  }
}

/// Starts a program with no signal blocked and none ignored, in a process group or, with `flags`, a session of its own.
public func spawnClean(
  _ program: String, _ arguments: UnsafePointer<UnsafeMutablePointer<CChar>?>,
  _ environment: UnsafePointer<UnsafeMutablePointer<CChar>?>, _ actions: inout posix_spawn_file_actions_t,
  _ flags: Int32
) throws -> pid_t {
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var none = sigset_t()
  sigemptyset(&none)
  var all = sigset_t()
  sigfillset(&all)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setsigdefault(&attributes, &all)
  posix_spawnattr_setflags(&attributes, Int16(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  var pid: pid_t = 0
  let error = posix_spawnp(&pid, program, &actions, &attributes, arguments, environment)
  guard error == 0 else { throw SystemError("start \(program)", error) }
  return pid
}

/// A child process. It gets a process group of its own, so that all it leaves can be ended.
public final class Child {
  public let pid: pid_t
  public let arguments: [String]
  public private(set) var ending: Ending?

  /// `descriptors`: what the child finds under 0, 1, 2, … (`nil`: /dev/null). It finds no other.
  public init(
    _ arguments: [String], descriptors: [Int32?] = [nil, nil, nil], directory: String? = nil,
    environment: [String: String] = [:]
  ) throws {
    guard let program = arguments.first else { throw Failure("no program to start") }
    self.arguments = arguments

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, source) in descriptors.enumerated() {
      let target = Int32(number)
      if let source {
        posix_spawn_file_actions_adddup2(&actions, source, target)
      } else {
        posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
      }
    }
    linux_spawn_close_from(&actions, Int32(descriptors.count))
    if let directory { linux_spawn_in_directory(&actions, directory) }

    let variables = Self.merged(environment)
    pid = try withCStrings(arguments) { argv in
      try withCStrings(variables) { envp in
        try spawnClean(program, argv, envp, &actions, POSIX_SPAWN_SETPGROUP)
      }
    }
  }

  /// Has it ended? Does not wait.
  public func poll() -> Ending? {
    if ending == nil { reap(WNOHANG) }
    return ending
  }

  public func waitForEnd() -> Ending {
    while true {
      if let ending { return ending }
      reap(0)
    }
  }

  public func waitForEnd(upTo limit: Duration) -> Ending? {
    _ = wait(upTo: limit, until: { poll() != nil })
    return ending
  }

  public func send(_ signal: Int32) { if ending == nil { kill(pid, signal) } }

  /// Asks it to end, and ends it and its group if it does not within `patience`.
  @discardableResult
  public func stop(_ signal: Int32 = SIGTERM, patience: Duration = .seconds(5)) -> Ending {
    send(signal)
    if let ending = waitForEnd(upTo: patience) { return ending }
    kill(-pid, SIGKILL)
    send(SIGKILL)
    return waitForEnd()
  }

  private func reap(_ options: Int32) {
    var status: Int32 = 0
    let result = waitpid(pid, &status, options)
    if result == pid { ending = Ending(waitStatus: status) }
    if result < 0 && errno != EINTR { ending = .exited(255) }
  }

  private static func merged(_ changes: [String: String]) -> [String] {
    var variables: [String] = []
    var cursor = environ
    while let entry = cursor.pointee {
      let text = String(cString: entry)
      let name = text.prefix { $0 != "=" }
      if changes[String(name)] == nil { variables.append(text) }
      cursor += 1
    }
    return variables + changes.map { "\($0.key)=\($0.value)" }.sorted()
  }
}

/// Runs a program to its end and returns what it wrote on standard output and standard error.
public func output(
  of arguments: [String], patience: Duration = .seconds(20)
) throws -> (ending: Ending, out: String, error: String) {
  let outFile = try MemoryFile("out")
  let errorFile = try MemoryFile("error")
  let child = try Child(arguments, descriptors: [nil, outFile.fd, errorFile.fd])
  guard let ending = child.waitForEnd(upTo: patience) else {
    child.stop(SIGKILL)
    throw Failure("no end within \(patience): \(arguments.joined(separator: " "))")
  }
  return (ending, try outFile.text(), try errorFile.text())
}

/// An anonymous file.
final class MemoryFile {
  let fd: Int32

  init(_ name: String) throws {
    let path = "/mfr-test-\(getpid())-\(name)-\(Instant.now.nanoseconds)"
    fd = try call("shm_open \(path)") { shm_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
    shm_unlink(path)
  }
  deinit { close(fd) }

  func text() throws -> String {
    try call("lseek") { Int(lseek(fd, 0, SEEK_SET)) }
    return String(decoding: try File.readAll(fd, what: "output"), as: UTF8.self)
  }
}

private func withCStrings<Result>(
  _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
) rethrows -> Result {
  let copies = strings.map { strdup($0) } + [nil]
  defer { for copy in copies { free(copy) } }
  return try body(copies)
}
