import CMFRABI
import Glibc
import MFRControl
import MFRCore
import Synchronization

/// Answers `mfr-ctl`: a UNIX socket for each coordinator, one request line, one answer line.
///
/// A thread of its own talks to clients; what changes the set is done by the coordinator's loop.
final class ControlServer: Sendable {
  private struct Waiting {
    var request: ControlRequest
    var number: UInt64
  }
  private struct State {
    var status: SetStatus?
    var trouble: String?
    var waiting: [Waiting] = []
    var answers: [UInt64: JSON] = [:]
    /// Replicas that were asked for something, by request, and what to say if they do not come to it in time.
    var asked: [UInt64: Injector.Asked] = [:]
    var next: UInt64 = 1
  }
  /// What a request is answered from.
  struct Context {
    let view: SetView
    let growth: String
    let events: EventLog
  }
  /// What a request wants of the decisions.
  enum Wish { case none, restore }

  private let buffer: SyncBuffer
  private let state = Mutex(State())
  private let listener = Mutex<(descriptor: Int32, path: String)>((-1, ""))

  /// Waits until what has been told of is in the events file, if that is not for long.
  private let settle: @Sendable () -> Void

  init(buffer: SyncBuffer, settle: @escaping @Sendable () -> Void) {
    self.buffer = buffer
    self.settle = settle
  }

  /// Starts the thread; what went wrong, or nil. The guest runs on without it.
  func start() -> String? {
    let context = Unmanaged.passRetained(self).toOpaque()
    let started = mfr_host_start_thread(
      { Unmanaged<ControlServer>.fromOpaque($0).takeUnretainedValue().run() }, context)
    if started >= 0 { return nil }
    Unmanaged<ControlServer>.fromOpaque(context).release()
    return "no control thread: \(SystemError.text(-started))"
  }

  /// Why there is no socket, once.
  func takeTrouble() -> String? {
    state.withLock { state in
      defer { state.trouble = nil }
      return state.trouble
    }
  }

  // Done by the thread: on a disk that stands still even a socket takes its time, and repairs do not wait for that.
  private func run() {
    mfr_host_thread_name("mfr-control")
    var told = false
    while let trouble = open() {
      if !told {
        state.withLock { $0.trouble = trouble }
        buffer.wakeCoordinator()
      }
      told = true
      usleep(1_000_000)
    }
    accept()
  }

  private func open() -> String? {
    let folder = RuntimeDirectory.path
    do { try RuntimeDirectory.prepare(folder) } catch { return "no control socket: \(error.description)" }
    let path = RuntimeDirectory.socket(in: folder, anchor: buffer.anchor)
    let descriptor = mfr_host_listen(path)
    if descriptor < 0 { return "no control socket at \(path): \(SystemError.text(-descriptor))" }
    listener.withLock { $0 = (descriptor, path) }
    return nil
  }

  func stop() {
    listener.withLock { if !$0.path.isEmpty { unlink($0.path) } }
  }

  // MARK: the loop's side

  /// Carries out what clients have asked for, and leaves the set's state for them. Called by the loop.
  func serve(_ context: Context) -> Wish {
    let (waiting, asked) = state.withLock { state in
      defer { state.waiting = [] }
      return (state.waiting, state.asked)
    }
    var wish = Wish.none
    for (number, one) in asked {
      guard let answer = Injector(buffer: buffer).outcome(one, context.view) else { continue }
      state.withLock { state in
        // Nobody waits for it any more when the time was over.
        if state.asked.removeValue(forKey: number) != nil { state.answers[number] = answer }
      }
    }
    for entry in waiting {
      if case .inject(let injection) = entry.request {
        switch Injector(buffer: buffer).inject(injection, context.view) {
        case .now(let answer): state.withLock { $0.answers[entry.number] = answer }
        case .later(let one): state.withLock { $0.asked[entry.number] = one }
        }
        continue
      }
      if entry.request == .restore, !context.view.mayNotGrow, context.view.mode == .lane { wish = .restore }
      let answer = carryOut(entry.request, context)
      state.withLock { $0.answers[entry.number] = answer }
    }
    return wish
  }

  private func carryOut(_ request: ControlRequest, _ context: Context) -> JSON {
    let view = context.view
    switch request {
    case .status:
      return .object([
        .init("ok", .bool(true)), .init("set", buffer.status(view, context.growth, context.events.trouble).json),
      ])
    case .events(let after):
      let (events, last) = context.events.events(after: after)
      return .object([
        .init("ok", .bool(true)), .init("coordinator", JSON(buffer.load(mfr_header_coordinator_starts(buffer.base)))),
        .init("last", JSON(last)), .init("events", .array(events)),
      ])
    case .restore:
      guard view.mode == .lane, !view.mayNotGrow else {
        return Self.refusal("no replica can be made: \(Protection.of(view).reason)")
      }
      return .object([.init("ok", .bool(true)), .init("level", JSON(view.level))])
    case .inject: return Self.refusal("not here")
    case .setLevel(let level):
      buffer.store(mfr_header_level(buffer.base), level)
      buffer.wakeCoordinator()
      return .object([.init("ok", .bool(true)), .init("level", JSON(level))])
    case .failover:
      guard view.mode == .lane else { return Self.refusal("there is no follower that is in step") }
      let heirs = view.replicas.filter { $0.live && $0.state == .running && $0.unshared && $0.index != view.leader }
      guard let heir = heirs.max(by: { $0.sequence < $1.sequence }) else {
        return Self.refusal("there is no follower that is in step")
      }
      let field = mfr_header_grant(buffer.base)
      buffer.store(field, ((buffer.load(field) >> 8) &+ 1) << 8 | UInt64(heir.index.rawValue))
      buffer.add(mfr_header_failovers(buffer.base), 1)
      buffer.unpark(heir.index.rawValue)
      return .object([
        .init("ok", .bool(true)), .init("leader", JSON(heir.index.rawValue)), .init("pid", JSON(heir.pid.rawValue)),
      ])
    }
  }

  static func refusal(_ text: String) -> JSON { .object([.init("ok", .bool(false)), .init("error", .string(text))]) }

  // MARK: the clients' side

  private func accept() {
    let descriptor = listener.withLock { $0.descriptor }
    while true {
      let client = mfr_host_accept(descriptor)
      if client < 0 {
        usleep(10_000)
        continue
      }
      answer(client)
      close(client)
    }
  }

  private func answer(_ client: Int32) {
    var patience = timeval(tv_sec: 2, tv_usec: 0)
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var uid: UInt32 = 0
    guard mfr_host_peer_uid(client, &uid) == 0, uid == geteuid() || uid == 0 else {
      send(client, Self.refusal("this set belongs to another user"))
      return
    }
    var line: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1024)
    // One client at a time is served: none may keep the others waiting by giving a byte now and then.
    let deadline = mfr_host_now_ns() &+ 2_000_000_000
    while !line.contains(10), line.count <= 4096, mfr_host_now_ns() < deadline {
      let count = recv(client, &chunk, chunk.count, 0)
      if count <= 0 { break }
      line += chunk[..<count]
    }
    guard let end = line.firstIndex(of: 10) else {
      send(client, Self.refusal("a request is one line of at most 4096 bytes"))
      return
    }
    do { send(client, ask(try ControlRequest(line: line[..<end]))) } catch {
      send(client, Self.refusal(error.description))
    }
  }

  /// Hands a request to the loop and waits for what becomes of it.
  private func ask(_ request: ControlRequest) -> JSON {
    let number = state.withLock { state in
      defer { state.next += 1 }
      state.waiting.append(Waiting(request: request, number: state.next))
      return state.next
    }
    buffer.wakeCoordinator()
    for _ in 0..<4000 {
      if let answer = state.withLock({ $0.answers.removeValue(forKey: number) }) {
        settle()
        return answer
      }
      usleep(500)
    }
    if let asked = state.withLock({ $0.asked.removeValue(forKey: number) }) {
      return .object(asked.members + [.init("planted", .bool(false))])
    }
    return Self.refusal("the coordinator does not answer")
  }

  private func send(_ client: Int32, _ answer: JSON) {
    let line = answer.text + "\n"
    _ = line.withCString { Glibc.send(client, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
  }
}

extension SyncBuffer {
  /// The set as `mfr-ctl` shows it.
  func status(_ view: SetView, _ growth: String, _ trouble: String) -> SetStatus {
    let protection = Protection.of(view, growth: growth)
    let lead = view.replicas.first { $0.index == view.leader }?.sequence ?? LaneSequence(0)
    let shown = view.replicas.filter { $0.live && $0.state != .dead && $0.state != .left && $0.state != .free }
    var calls: UInt64 = 0
    // Every call of the lane has a number; who made it does not matter, and the dead counted too.
    for place in 0..<Self.replicaCount { calls = max(calls, mfr_host_replica(base, place).seq) }
    return SetStatus(
      id: load(mfr_header_set_id(base)), name: name, program: program, pid: anchor,
      level: view.level, state: protection.state.rawValue, reason: protection.reason, calls: calls,
      failovers: load(mfr_header_failovers(base)), lost: load(mfr_header_lost(base)),
      respawns: load(mfr_header_respawns(base)),
      divergences: load(mfr_header_divergences(base)), bids: load(mfr_header_bids(base)), trouble: trouble,
      replicas: shown.map { replica in
        let joining = replica.state == .joining || replica.state == .reserved
        let role = replica.index == view.leader ? "leader" : joining ? "joining" : "follower"
        return SetStatus.Replica(
          index: replica.index.rawValue, pid: replica.pid.rawValue, role: role, sequence: replica.sequence.rawValue,
          lag: replica.sequence.distance(to: lead), unshared: replica.unshared)
      })
  }
}
