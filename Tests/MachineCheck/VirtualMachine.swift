import Glibc
import MFRHarness

/// A QEMU machine with the test's initramfs: what its kernel says, a shell in it, its monitor and its debugger.
///
/// Everything is waited for in one place, `pump`, which also keeps the machine's output flowing.
final class VirtualMachine {
  struct Files {
    var kernel: String
    var initramfs: String
    /// For the sockets; private.
    var folder: String
  }

  private let child: Child
  private var kernelLog: LineReader
  private var shell: LineReader
  private let monitorSocket: String
  private let debuggerSocket: String
  private var commands = 0
  /// All that the kernel has said.
  private(set) var kernel: [String] = []
  /// What came from the shell's side, unasked: events and the client's progress.
  private(set) var said: [String] = []
  private var answers: [String] = []

  init(_ files: Files) throws {
    let shellSocket = files.folder + "/shell"
    monitorSocket = files.folder + "/monitor"
    debuggerSocket = files.folder + "/debugger"
    for socket in [shellSocket, monitorSocket, debuggerSocket] { unlink(socket) }  // of a machine before this one
    // QEMU complains of what its processor lacks; that is only of interest when it does not start.
    let complaints = try call("create") {
      open(files.folder + "/qemu.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }
    defer { close(complaints) }
    var ends: [Int32] = [0, 0]
    try call("pipe") { pipe(&ends) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    child = try Child(
      [
        // Software emulation; a processor that is not Intel's has no machine checks that the kernel survives.
        try Tools.program("qemu-system-x86_64"), "-accel", "tcg", "-M", "pc", "-cpu", "Skylake-Client", "-smp", "1",
        "-m", "1024", "-display", "none", "-no-reboot", "-nic", "none", "-serial", "stdio",
        "-serial", "unix:\(shellSocket),server=on,wait=on", "-qmp", "unix:\(monitorSocket),server=on,wait=off",
        "-gdb", "unix:\(debuggerSocket),server=on,wait=off", "-kernel", files.kernel, "-initrd", files.initramfs,
        "-append", "console=ttyS0 quiet loglevel=7 panic=-1",
      ], descriptors: [nil, ends[1], complaints])
    close(ends[1])
    kernelLog = LineReader(ends[0])
    // QEMU goes on only once somebody has connected here: nothing that is said is lost.
    shell = LineReader(-1)
    shell = LineReader(try connect(shellSocket, for: .seconds(20)) { child.poll() == nil })
  }

  deinit {
    child.stop(SIGKILL)
    close(shell.fd)
    close(kernelLog.fd)
  }

  /// Waits until `condition` holds. What does not come in time is an error, and so is the end of the machine.
  func pump(
    _ what: String, upTo limit: Duration = .seconds(30), also fd: Int32 = -1, until condition: () throws -> Bool
  )
    throws
  {
    let deadline = Instant.now + limit
    while try !condition() {
      guard Instant.now < deadline else { throw Failure("no \(what) within \(shown(limit))") }
      var events = [
        pollfd(fd: kernelLog.fd, events: Int16(POLLIN), revents: 0),
        pollfd(fd: shell.fd, events: Int16(POLLIN), revents: 0), pollfd(fd: fd, events: Int16(POLLIN), revents: 0),
      ]
      let left = Int32(min(max(1, (deadline - .now).milliseconds), 200))
      if let signal = Interruption.pending { throw Failure("stopped by signal \(signal)") }
      _ = poll(&events, nfds_t(events.count), left)
      if events[0].revents != 0 {
        guard let lines = try kernelLog.read() else { throw Failure("the machine has ended: \(kernel.last ?? "")") }
        kernel += lines
      }
      if events[1].revents != 0 {
        guard let lines = try shell.read() else { throw Failure("the machine's shell has ended") }
        for line in lines {
          if line.hasPrefix("=") || line.hasPrefix("@") { answers.append(line) } else { said.append(line) }
        }
      }
      if events[2].revents != 0 { return }
    }
  }

  /// The machine's first word: init has set everything up.
  func awaitStart() throws { try pump("word from init", upTo: .seconds(60)) { said.contains("ready") } }

  /// Runs a command line in the machine, to its end.
  @discardableResult
  func run(_ command: String, upTo limit: Duration = .seconds(30)) throws -> (status: Int32, output: [String]) {
    commands += 1
    let mark = "\(commands)"
    answers = []
    try File.writeAll(shell.fd, Array("\(mark) \(command)\n".utf8), what: "the machine's shell")
    var status: Int32?
    try pump("end of '\(command)'", upTo: limit) {
      guard let last = answers.last(where: { $0.hasPrefix("@\(mark) ") }) else { return false }
      status = Int32(last.dropFirst(mark.count + 2))
      return true
    }
    return (status ?? -1, answers.filter { $0.hasPrefix("=") }.map { String($0.dropFirst()) })
  }

  /// Leaves a command line for the machine's shell, for when the machine runs and nothing else is asked.
  func send(_ command: String) throws {
    try File.writeAll(shell.fd, Array("0 \(command)\n".utf8), what: "the machine's shell")
  }

  /// The same for a command that must succeed.
  @discardableResult
  func ask(_ command: String) throws -> [String] {
    let (status, output) = try run(command)
    guard status == 0 else {
      throw Failure("'\(command)' ended with status \(status): \(output.joined(separator: " | "))")
    }
    return output
  }

  func monitor() throws -> Monitor { try Monitor(connect(monitorSocket, for: .seconds(5)) { true }) }
  /// Stops the machine for as long as the debugger is there.
  func debugger() throws -> Debugger { try Debugger(connect(debuggerSocket, for: .seconds(5)) { true }, self) }
}

/// Splits what comes through a descriptor into lines.
struct LineReader {
  let fd: Int32
  private var rest: [UInt8] = []
  init(_ fd: Int32) { self.fd = fd }

  /// The lines that are complete now; nil at the end. Blocks if there is nothing to read.
  mutating func read() throws -> [String]? {
    var chunk = [UInt8](repeating: 0, count: 65536)
    let count = try chunk.withUnsafeMutableBytes { bytes in
      try call("read") { Glibc.read(fd, bytes.baseAddress, bytes.count) }
    }
    guard count > 0 else { return nil }
    rest += chunk[..<count].filter { $0 != 13 }
    var lines: [String] = []
    while let end = rest.firstIndex(of: 10) {
      lines.append(String(decoding: rest[..<end], as: UTF8.self))
      rest.removeFirst(end + 1)
    }
    return lines
  }
}

/// Connects to a socket that is there, or is about to be.
private func connect(_ path: String, for limit: Duration, while alive: () -> Bool) throws -> Int32 {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  guard path.utf8.count < 108 else { throw Failure("the path \(path) is too long for a socket") }
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
  let deadline = Instant.now + limit
  while true {
    let fd = try call("socket") { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if result == 0 { return fd }
    let why = SystemError("connect \(path)")
    close(fd)
    guard alive(), Instant.now < deadline else { throw why }
    pause(.milliseconds(5))
  }
}

/// SIGINT and SIGTERM wait until somebody looks, so that no machine is left behind.
enum Interruption {
  private static var signals: sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, signal) }
    return set
  }
  static func hold() {
    var set = signals
    sigprocmask(SIG_BLOCK, &set, nil)
  }
  static var pending: Int32? {
    var set = sigset_t()
    sigpending(&set)
    return [SIGINT, SIGTERM, SIGHUP].first { sigismember(&set, $0) == 1 }
  }
}
