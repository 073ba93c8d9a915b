import CLinux
import Glibc
import MFRHarness

/// One way for a stream to leave or enter a program.
struct StreamKind {
  enum Medium: String, CaseIterable { case pipe, file, append, pty, unix, tcp }
  /// Who does the work, and is broken: the program that was started, or a child of it, which is a set of its own.
  enum Descent: String { case own, forked, executed }
  let writes: Bool
  let medium: Medium
  let callName: String
  var descent = Descent.own

  var name: String {
    "\(writes ? "write" : "read")-\(medium.rawValue)-\(callName)" + (descent == .own ? "" : "-\(descent.rawValue)")
  }

  static let all: [StreamKind] =
    kinds(true, [.pipe], ["write", "writev", "sendfile", "splice"])
    + kinds(true, [.file], ["write", "writev", "sendfile", "splice"])
    + kinds(true, [.append, .pty], ["write", "writev"])
    + kinds(true, [.unix, .tcp], ["write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice"])
    + kinds(false, [.pipe, .file, .pty], ["read", "readv"])
    + kinds(false, [.unix, .tcp], ["read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg"])
    + [Descent.forked, .executed].flatMap { descent in
      [
        StreamKind(writes: true, medium: .pipe, callName: "write", descent: descent),
        StreamKind(writes: true, medium: .tcp, callName: "sendfile", descent: descent),
        StreamKind(writes: false, medium: .pipe, callName: "read", descent: descent),
        StreamKind(writes: false, medium: .file, callName: "readv", descent: descent),
      ]
    }

  private static func kinds(_ writes: Bool, _ media: [Medium], _ calls: [String]) -> [StreamKind] {
    media.flatMap { medium in calls.map { StreamKind(writes: writes, medium: medium, callName: $0) } }
  }
}

/// The descriptors between the driver and a guest of one kind.
final class Channel {
  /// What the guest is told: `stdout`, `stdin`, `file:…`, `unix:…`, `tcp:…`.
  let address: String
  /// The guest's descriptor 0 or 1, if the stream goes through it.
  private(set) var guestEnd: Int32 = -1
  /// The driver's descriptor; for sockets only after `accept`.
  private(set) var fd: Int32 = -1
  let isFile: Bool
  private var listener: Int32 = -1

  init(_ kind: StreamKind, directory: String) throws {
    isFile = kind.medium == .file || kind.medium == .append
    let path = directory + "/stream"
    switch kind.medium {
    case .pipe:
      var ends: [Int32] = [0, 0]
      try call("pipe") { pipe(&ends) }
      (guestEnd, fd) = kind.writes ? (ends[1], ends[0]) : (ends[0], ends[1])
      address = kind.writes ? "stdout" : "stdin"
    case .pty:
      var master: Int32 = -1
      var slave: Int32 = -1
      try call("openpty") { openpty(&master, &slave, nil, nil, nil) }
      var mode = termios()
      tcgetattr(slave, &mode)
      cfmakeraw(&mode)
      tcsetattr(slave, TCSANOW, &mode)
      (guestEnd, fd) = (slave, master)
      address = kind.writes ? "stdout" : "stdin"
    case .file, .append:
      fd = try call("create \(path)") { open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
      address = "\(kind.medium.rawValue):\(path)"
    case .unix:
      listener = try Port.listener(path: path)
      address = "unix:\(path)"
    case .tcp:
      let (socket, port) = try Port.listener()
      listener = socket
      address = "tcp:\(port)"
    }
    for own in [fd, listener] where own >= 0 { _ = fcntl(own, F_SETFD, FD_CLOEXEC) }
  }

  deinit { for open in [guestEnd, fd, listener] where open >= 0 { close(open) } }

  /// The guest has been started: gives up its end, takes its connection.
  func connect(_ guest: Guest) throws {
    if guestEnd >= 0 { close(guestEnd) }
    guestEnd = -1
    if listener >= 0 {
      var event = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      let came = wait(upTo: .seconds(20), every: .zero) { poll(&event, 1, 100) > 0 || guest.child.poll() != nil }
      guard came, guest.child.ending == nil else {
        throw Failure("the guest does not connect: \(guest.child.ending?.description ?? "no end")")
      }
      fd = try call("accept") { accept(listener, nil, nil) }
      _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
    }
    if !isFile { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) }
  }

  /// Tells a reading guest that the stream is over.
  func end() {
    guard fd >= 0 else { return }
    close(fd)
    fd = -1
  }
}
