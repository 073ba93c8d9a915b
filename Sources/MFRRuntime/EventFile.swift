import CMFRABI
import Glibc
import Synchronization

/// The events file, written by a thread of its own: a disk that stands still must not keep the coordinator from
/// repairing. A file that cannot be written is reported once, and events are lost.
final class EventFile: Sendable {
  private struct State {
    var lines: [String] = []
    var isWriting = false
    var trouble = ""
    var complained = false
  }
  /// With so many lines waiting for the disk, later ones are lost.
  private static let most = 65536

  private let path: String
  private let state = Mutex(State())
  /// Changes with every line that comes and whenever all are written.
  private let news = FutexWord()
  /// No room for a thread: lines are written by whoever tells them.
  private let hasThread = Atomic(false)
  private let writer = Mutex(Writer())

  /// What the writing thread keeps.
  private struct Writer {
    var descriptor: Int32?
    /// A line was cut short: the next one begins on a new line.
    var torn = false
  }

  init(_ path: String) {
    self.path = path
    let context = Unmanaged.passRetained(self).toOpaque()
    let started = mfr_host_start_thread(
      { Unmanaged<EventFile>.fromOpaque($0).takeUnretainedValue().serve() }, context)
    if started < 0 { Unmanaged<EventFile>.fromOpaque(context).release() }
    hasThread.store(started >= 0, ordering: .relaxed)
    if started < 0 { writeAll() }
  }

  var trouble: String { state.withLock { $0.trouble } }

  func append(_ line: String) {
    let isFull = state.withLock { state in
      if state.lines.count >= Self.most { return true }
      state.lines.append(line)
      return false
    }
    if isFull { complain("cannot write events: the disk stands still") }
    if hasThread.load(ordering: .relaxed) { news.bump() } else { writeAll() }
  }

  func drain(upTo limit: Duration) {
    let deadline =
      mfr_host_now_ns() &+ UInt64(limit.components.seconds) &* 1_000_000_000
      &+ UInt64(limit.components.attoseconds / 1_000_000_000)
    while true {
      let seen = news.value
      if state.withLock({ $0.lines.isEmpty && !$0.isWriting }) { return }
      let now = mfr_host_now_ns()
      if now >= deadline { return }
      news.wait(whileIs: seen, upTo: Int64(deadline - now))
    }
  }

  private func serve() {
    mfr_host_thread_name("mfr-events")
    while true {
      let seen = news.value
      if writeAll() { news.bump() } else { news.wait(whileIs: seen, upTo: -1) }
    }
  }

  /// Writes what is there. Returns whether there was any.
  @discardableResult
  private func writeAll() -> Bool {
    writer.withLock { writer in
      let lines = state.withLock { state in
        defer { state.lines = [] }
        state.isWriting = !state.lines.isEmpty  // else nobody would tell `drain` that it is over
        return state.lines
      }
      defer { state.withLock { $0.isWriting = false } }
      if writer.descriptor == nil {
        // Not blocking: the file may be a pipe that nobody reads.
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let descriptor = open(path, flags, 0o644)
        writer.descriptor = descriptor
        if descriptor < 0 { complain("cannot open \(path): \(SystemError.text(errno))") }
      }
      if let descriptor = writer.descriptor, descriptor >= 0 {
        for line in lines { write(line, descriptor, &writer) }
      }
      return !lines.isEmpty
    }
  }

  private func write(_ line: String, _ descriptor: Int32, _ writer: inout Writer) {
    let text = writer.torn ? "\n" + line : line
    let count = text.withCString { Glibc.write(descriptor, $0, strlen($0)) }
    if count == text.utf8.count {
      writer.torn = false
      state.withLock { $0.trouble = "" }
      return
    }
    let error = errno
    if count > 0 { writer.torn = true }
    complain("cannot write events: \(count < 0 ? SystemError.text(error) : "no room")")
  }

  private func complain(_ text: String) {
    let isFirst = state.withLock { state in
      state.trouble = text
      defer { state.complained = true }
      return !state.complained
    }
    if isFirst { EventLog.say("\(text); the guest goes on, events are lost") }
  }
}

/// A word to wait at, for threads of this process.
final class FutexWord: @unchecked Sendable {  // only touched by atomic operations
  private let word: UnsafeMutablePointer<UInt32>

  init() {
    word = .allocate(capacity: 1)
    word.initialize(to: 0)
  }

  deinit { word.deallocate() }

  var value: UInt32 { mfr_load_acquire32(word) }

  func bump() {
    _ = mfr_add_acqrel32(word, 1)
    _ = mfr_host_futex_wake(word, Int32.max)
  }

  /// At most so many nanoseconds; -1: without end.
  func wait(whileIs seen: UInt32, upTo limit: Int64) { _ = mfr_host_futex_wait(word, seen, limit) }
}
