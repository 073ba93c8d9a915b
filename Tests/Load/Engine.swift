import CLinux
import Glibc
import MFRHarness

/// Why an answer was not the right one.
enum Fault: String {
  case refused, reset, closed, timeout, status, malformed, wrong, doubled
}

/// What a conversation makes of the bytes that came.
enum Step {
  case more
  /// The answers to all that was asked are here: this many, and they are right.
  case answered(Int)
  /// The same, and the server will now close the connection, as the protocol allows.
  case answeredAndClosing(Int)
  case failed(Fault, String)
}

/// One connection's side of a protocol: it writes requests and checks each byte of the answers.
protocol Conversation: AnyObject {
  /// It has begun something that it must bring to an end also when the time is over.
  var isMidway: Bool { get }
  /// Appends the next request, or several, and says how many; 0 if it has nothing more to ask.
  func ask(_ out: inout ByteQueue) -> Int
  func hear(_ bytes: UnsafeRawBufferPointer) -> Step
  /// The connection was lost or given up; the next `ask` is on a new one.
  func restart()
}

extension Conversation {
  var isMidway: Bool { false }
}

/// A load on one server: many connections, one thread, every answer checked.
struct Load {
  var name: String
  var port: UInt16
  var seconds: Double?
  var requests: Int?
  var timeout: Duration
  /// Requests per second of all connections together; nil: as many as get an answer.
  var rate: Double?
  var progress: Bool
}

/// Drives the conversations over epoll. A connection has at most one request (or pipelined batch) under way.
final class Engine<Talk: Conversation> {
  private final class Connection {
    enum State { case idle, connecting, talking, waiting, closing }
    let talk: Talk
    var fd: Int32 = -1
    var state = State.idle
    var asked = Instant(nanoseconds: 0)
    var out = ByteQueue()
    var wantsOut = false
    init(_ talk: Talk) { self.talk = talk }
  }

  private let load: Load
  private let connections: [Connection]
  private let epoll: Int32
  private let buffer: UnsafeMutableRawPointer
  private let bufferSize = 1 << 18
  private var address = sockaddr_in()

  private var latencies = Histogram()
  private var answers = 0
  private var askedInAll = 0
  private var reconnects = 0
  private var faults: [Fault: Int] = [:]
  private var shownFaults = 0
  private var complaints: [String] = []
  private var stopping = false
  private var busy = 0
  private var begun = Instant.now
  /// Connections that would ask more than the rate allows, the longest waiting one first.
  private var waiting: [Int] = []

  init(_ load: Load, talks: [Talk]) throws {
    self.load = load
    connections = talks.map { Connection($0) }
    epoll = try call("epoll_create1") { linux_epoll_create() }
    buffer = .allocate(byteCount: bufferSize, alignment: 4096)
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = load.port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  }

  deinit {
    close(epoll)
    buffer.deallocate()
  }

  /// Runs to the end of the time or the number of requests, then until all answers are in.
  func run() throws -> LoadReport {
    begun = .now
    let deadline = load.seconds.map { begun + .seconds(fraction: $0) }
    var nextCheck = begun + .milliseconds(500)
    var nextRevival = begun
    var lastShown = (time: begun, answers: 0)
    for index in connections.indices { start(index) }

    let batch = 256
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: batch)
    defer { events.deallocate() }
    let interrupt = Interrupt()
    while true {
      let count = Int(epoll_wait(epoll, events, Int32(batch), waiting.isEmpty ? 20 : 1))
      if count < 0 && errno != EINTR { throw SystemError("epoll_wait") }
      for at in 0..<max(0, count) {
        ready(Int(linux_epoll_data(events + at)), linux_epoll_events(events + at))
      }
      let now = Instant.now
      if let deadline, now >= deadline { stopping = true }
      if interrupt.pending { stopping = true }
      if !waiting.isEmpty { goOn(now) }
      if now >= nextCheck {
        nextCheck = now + .milliseconds(500)
        giveUpLate(now)
        if load.progress {
          let rate = Double(answers - lastShown.answers) / (now - lastShown.time).seconds
          complain(
            "  \(fixed((now - begun).seconds, 1)) s   \(Int(rate)) per second   \(faults.values.reduce(0, +)) errors")
          lastShown = (now, answers)
        }
      }
      if now >= nextRevival {
        nextRevival = now + .milliseconds(5)
        revive()
      }
      if stopping && busy == 0 { break }
    }
    let seconds = (Instant.now - begun).seconds
    listenForStrays()
    return report(seconds)
  }

  // MARK: one connection

  private func start(_ index: Int) {
    guard !stopping else { return }
    let connection = connections[index]
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | O_CLOEXEC, 0)
    guard fd >= 0 else { return }
    var one: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    connection.fd = fd
    connection.asked = .now
    busy += 1
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 {
      connection.state = .talking
      _ = linux_epoll_set(epoll, linux_epoll_add, fd, linux_epoll_in, UInt64(index))
      ask(index)
    } else if errno == EINPROGRESS {
      connection.state = .connecting
      connection.wantsOut = true
      _ = linux_epoll_set(epoll, linux_epoll_add, fd, linux_epoll_in | linux_epoll_out, UInt64(index))
    } else {
      fail(index, .refused, "connect: \(String(cString: strerror(errno)))")
    }
  }

  private func ask(_ index: Int) {
    let connection = connections[index]
    if let limit = load.requests, askedInAll >= limit { stopping = true }
    if !mayAsk(.now) {
      connection.state = .waiting
      waiting.append(index)
      return
    }
    connection.out.clear()
    let count = stopping && !connection.talk.isMidway ? 0 : connection.talk.ask(&connection.out)
    guard count > 0 else {
      rest(index)
      return
    }
    askedInAll += count
    connection.asked = .now
    send(index)
  }

  private func mayAsk(_ now: Instant) -> Bool {
    guard let rate = load.rate, !stopping else { return true }
    return Double(askedInAll) < rate * (now - begun).seconds
  }

  private func goOn(_ now: Instant) {
    var next = 0
    while next < waiting.count, mayAsk(now) {
      let index = waiting[next]
      next += 1
      guard connections[index].state == .waiting else { continue }
      connections[index].state = .talking
      ask(index)
    }
    waiting.removeFirst(next)
  }

  /// The connection stays open with nothing under way.
  private func rest(_ index: Int) {
    connections[index].state = .idle
    busy -= 1
    if connections.allSatisfy({ $0.state == .idle }) { stopping = true }
  }

  private func send(_ index: Int) {
    let connection = connections[index]
    while !connection.out.isEmpty {
      let bytes = connection.out.unsent
      let n = Glibc.send(connection.fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if n > 0 {
        connection.out.markSent(n)
      } else if errno == EAGAIN {
        break
      } else if errno != EINTR {
        // What the server said before it closed may explain it; reading tells.
        break
      }
    }
    let wantsOut = !connection.out.isEmpty
    if wantsOut != connection.wantsOut {
      connection.wantsOut = wantsOut
      let events = wantsOut ? linux_epoll_in | linux_epoll_out : linux_epoll_in
      _ = linux_epoll_set(epoll, linux_epoll_mod, connection.fd, events, UInt64(index))
    }
  }

  private func ready(_ index: Int, _ events: UInt32) {
    let connection = connections[index]
    if connection.state == .connecting {
      var error: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size)
      guard error == 0 else {
        fail(index, .refused, "connect: \(String(cString: strerror(error)))")
        return
      }
      connection.state = .talking
      ask(index)
      if connection.state == .talking { send(index) }
      return
    }
    if events & linux_epoll_out != 0 { send(index) }
    if events & ~linux_epoll_out != 0 { receive(index) }
  }

  private func receive(_ index: Int) {
    let connection = connections[index]
    guard connection.fd >= 0 else { return }
    let n = recv(connection.fd, buffer, bufferSize, 0)
    if n < 0 {
      if errno == EAGAIN || errno == EINTR { return }
      fail(index, .reset, "receive: \(String(cString: strerror(errno)))")
    } else if n == 0 {
      switch connection.state {
      case .closing:
        disconnect(index)
        reconnects += 1
        start(index)
      case .idle:
        note(.closed, "an idle connection was closed")
        shut(index)
      default:
        fail(index, .closed, "the server closed a connection with an answer outstanding")
      }
    } else if connection.state == .waiting {
      fail(index, .doubled, "\(n) bytes that nobody asked for")
    } else if connection.state == .idle {
      note(.doubled, "\(n) bytes that nobody asked for")
      shut(index)
    } else if connection.state == .closing {
      fail(index, .doubled, "\(n) bytes after the end of the answer")
    } else {
      switch connection.talk.hear(UnsafeRawBufferPointer(start: buffer, count: n)) {
      case .more: break
      case .answered(let count):
        finish(connection, count)
        ask(index)
      case .answeredAndClosing(let count):
        finish(connection, count)
        connection.state = .closing
      case .failed(let fault, let why): fail(index, fault, why)
      }
    }
  }

  @inline(__always)
  private func finish(_ connection: Connection, _ count: Int) {
    answers += count
    latencies.add(nanoseconds: Instant.now.nanoseconds &- connection.asked.nanoseconds)
  }

  private func fail(_ index: Int, _ fault: Fault, _ why: String) {
    note(fault, "connection \(index): \(why)")
    disconnect(index)
  }

  private func note(_ fault: Fault, _ why: String) {
    faults[fault, default: 0] += 1
    shownFaults += 1
    if complaints.count < 5 { complaints.append("\(fault.rawValue): \(why)") }
    if shownFaults <= 20 { complain("mfr-load: \(fault.rawValue): \(why)") }
    if shownFaults == 20 { complain("mfr-load: further errors are only counted") }
  }

  /// Ends the connection and what was under way on it.
  private func disconnect(_ index: Int) {
    shut(index)
    connections[index].talk.restart()
    busy -= 1
  }

  private func shut(_ index: Int) {
    let connection = connections[index]
    close(connection.fd)
    connection.fd = -1
    connection.state = .idle
    connection.wantsOut = false
  }

  /// Opens the connections anew that failed.
  private func revive() {
    guard !stopping else { return }
    for (index, connection) in connections.enumerated() where connection.fd < 0 { start(index) }
  }

  private func giveUpLate(_ now: Instant) {
    for (index, connection) in connections.enumerated()
    where connection.state != .idle && connection.state != .waiting && now - connection.asked > load.timeout {
      fail(index, .timeout, "no complete answer within \(shown(load.timeout))")
    }
  }

  /// All answers are in: whatever still comes was said twice.
  private func listenForStrays() {
    let open = connections.filter { $0.fd >= 0 }
    for connection in open { shutdown(connection.fd, Int32(SHUT_WR)) }
    let deadline = Instant.now + .milliseconds(500)
    for connection in open {
      var event = pollfd(fd: connection.fd, events: Int16(POLLIN), revents: 0)
      let left = Int32(max(0, (deadline - .now).milliseconds))
      guard poll(&event, 1, left) > 0 else { continue }
      let n = recv(connection.fd, buffer, bufferSize, Int32(MSG_DONTWAIT))
      if n > 0 { note(.doubled, "\(n) bytes after the last answer") }
    }
    for connection in open { close(connection.fd) }
  }

  private func report(_ seconds: Double) -> LoadReport {
    let wrong = faults[.wrong] ?? 0
    let doubled = faults[.doubled] ?? 0
    var kinds: [String: Int] = [:]
    for (fault, count) in faults { kinds[fault.rawValue] = count }
    return LoadReport(
      name: load.name, seconds: seconds, requests: answers,
      errors: faults.values.reduce(0, +) - wrong - doubled, wrong: wrong, doubled: doubled,
      reconnects: reconnects, p50: latencies.quantile(0.5), p99: latencies.quantile(0.99),
      max: latencies.max, kinds: kinds, complaints: complaints)
  }
}

/// SIGTERM, like the end of the time, lets the connections finish what they have begun, and then reports.
private struct Interrupt {
  init() {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigprocmask(SIG_BLOCK, &set, nil)
  }
  var pending: Bool {
    var set = sigset_t()
    sigpending(&set)
    return sigismember(&set, SIGTERM) == 1
  }
}
