import ArgumentParser
import CLinux
import Glibc
import MFRControl
import MFRHarness

struct ExactlyOnce: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exactly-once",
    abstract: "Kills random replicas of programs that write or read a numbered stream; no gap, no repeat.")

  @OptionGroup var common: CommonOptions
  @Option(help: "Kills per kind and level.")
  var kills = 50
  @Option(help: "Only kinds whose name contains this, like write-tcp or sendfile. May be repeated.")
  var kind: [String] = []
  @Option(help: "Folder of the compiled guests writer and reader.")
  var guests: String
  @Flag(help: "Let a native writer make mistakes, and see that they are found.")
  var selfTest = false
  @Flag(help: "List the kinds and stop.")
  var list = false

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    let chosen = StreamKind.all.filter { each in kind.isEmpty || kind.contains { each.name.contains($0) } }
    if list {
      for each in chosen { say(each.name) }
      return
    }
    guard !chosen.isEmpty else { throw ValidationError("no kind matches; --list shows them") }
    if selfTest { return try testChecks() }
    let levels = try common.levels()
    let stream = Stream()
    var tally = Tally()
    for kind in chosen {
      for level in levels {
        let label = padded("\(kind.name) level \(level.map(String.init) ?? "native")", 32)
        let again =
          "Scripts/exactly-once --kind \(kind.name) --level \(level.map(String.init) ?? "native") --kills \(kills) --seed \(common.seed)"
        try tally.run(label, keep: common.keep, repeatWith: again) { directory in
          let run = try StreamRun(
            kind, level: level, guests: guests, directory: directory, stream: stream, seed: common.seed,
            signals: common.signals())
          return try run.play(kills: level ?? 0 > 0 ? kills : 0)
        }
      }
    }
    try tally.finish()
  }

  private func testChecks() throws {
    var tally = Tally()
    for kind in StreamKind.all where kind.writes && kind.callName == "write" && kind.descent == .own {
      for mistake in ["gap", "repeat"] {
        let label = padded("\(kind.name) with a \(mistake)", 32)
        try tally.run(label, keep: common.keep, repeatWith: "Scripts/exactly-once --self-test") { directory in
          let run = try StreamRun(
            kind, level: nil, guests: guests, directory: directory, stream: Stream(), seed: common.seed, signals: [],
            mistake: mistake)
          do { _ = try run.play(kills: 0) } catch let failure as Failure {
            guard failure.description.contains("a \(mistake) of 7 bytes") else { throw failure }
            return "found: \(failure)"
          }
          throw Failure("not found")
        }
      }
    }
    try tally.finish()
  }
}

/// A guest that writes or reads the stream, broken again and again.
final class StreamRun {
  private let kind: StreamKind
  private let level: Int?
  private let stream: Stream
  private let signals: [Int32]
  private let directory: String
  private let channel: Channel
  private let guest: Guest
  /// Closing it ends a guest that polls its standard input.
  private var leash: Int32
  /// What a reading guest says.
  private var reports: Int32
  private var random: SplitMix

  private var passed: UInt64 = 0  // bytes checked, or sent
  private var heard: UInt64 = 0  // bytes that a reading guest has confirmed
  private var heardTotal: UInt64?
  private var partialLine: [UInt8] = []
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)

  init(
    _ kind: StreamKind, level: Int?, guests: String, directory: String, stream: Stream, seed: UInt64,
    signals: [Int32], mistake: String? = nil
  ) throws {
    self.kind = kind
    self.level = level
    self.stream = stream
    self.signals = signals
    self.directory = directory
    random = SplitMix(seed: seed ^ UInt64(kind.name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) }))
    channel = try Channel(kind, directory: directory)
    if !kind.writes && kind.medium == .file {
      try File.writeAll(channel.fd, Array(stream.part(at: 0, atMost: Stream.blockSize)), what: "stream")
    }

    let input = try Self.pipe()
    let output = try Self.pipe()
    let error = try call("create guest.err") {
      open(directory + "/guest.err", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    }
    defer { for end in [input.read, output.write, error] { close(end) } }
    leash = input.write
    reports = output.read
    _ = fcntl(reports, F_SETFL, O_NONBLOCK)
    let usesInput = !kind.writes && channel.guestEnd >= 0
    let usesOutput = kind.writes && channel.guestEnd >= 0
    guest = try Guest(
      ["\(guests)/\(kind.writes ? "writer" : "reader")"] + (kind.descent == .own ? [] : [kind.descent.rawValue])
        + [channel.address, kind.callName] + (mistake.map { [$0] } ?? []),
      level: level,
      name: "\(kind.name)-\(getpid())", directory: directory,
      descriptors: [usesInput ? channel.guestEnd : input.read, usesOutput ? channel.guestEnd : output.write, error],
      runtime: directory + "/run")
  }

  /// Plays the whole life of the guest. Returns what to say about it.
  func play(kills: Int) throws -> String {
    defer { cleanUp() }
    try channel.connect(guest)
    try guest.waitUntilWhole()
    let worker = kind.descent == .own ? guest.child.pid : try childThatIsWhole()
    let begun = Instant.now
    var recovery = RecoveryLog()
    if kills > 0 {
      var breaker = try Breaker(guest, anchor: worker)
      try breakAgainAndAgain(&breaker, kills)
      recovery = breaker.log
    } else {
      let end = begun + .milliseconds(200)
      while Instant.now < end { try step(quiet: false) }
    }
    let seconds = (Instant.now - begun).seconds
    try finish()
    let size = fixed(Double(passed) / 1e6, 0)
    return "\(kills) kills in \(fixed(seconds, 1)) s, \(size) MB" + (kills > 0 ? "; \(recovery.times)" : "")
  }

  /// The anchor of the child that does the work, once all its replicas are in step.
  private func childThatIsWhole() throws -> pid_t {
    guard level != nil else { return guest.child.pid }
    var child: SetStatus?
    let deadline = Instant.now + .seconds(20)
    repeat {
      try step(quiet: false)  // one that waits in the middle of a write becomes a set after it
      child = guest.sets().first { $0.pid != guest.child.pid }
    } while child?.isWhole != true && guest.child.poll() == nil && Instant.now < deadline
    guard let child, child.isWhole else {
      throw Failure("the child is not whole: \(child?.line ?? "no set")\(guestError())")
    }
    return pid_t(child.pid)
  }

  private func breakAgainAndAgain(_ breaker: inout Breaker, _ kills: Int) throws {
    var next = Instant.now + .microseconds(Int64.random(in: 0...8000, using: &random))
    var quiet = false
    var wholeSince: Instant? = .now
    var lastWhole = Instant.now
    while breaker.kills < kills || !breaker.isWhole {
      try step(quiet: quiet)
      try breaker.look()
      if let ending = guest.child.poll() {
        throw Failure("after \(breaker.kills) kills the guest ended: \(ending)\(guestError())")
      }
      let now = Instant.now
      if breaker.isWhole {
        if wholeSince == nil {
          wholeSince = now
          next = now + .microseconds(Int64.random(in: 0...8000, using: &random))
          // Now and then nothing moves, so that the kill meets a replica that waits in its call.
          quiet = Int.random(in: 0..<4, using: &random) == 0
        }
        lastWhole = now
        if now >= next && breaker.kills < kills {
          breaker.kill(signals.randomElement(using: &random) ?? SIGKILL, using: &random)
          wholeSince = nil
          quiet = false
        }
      } else if now - lastWhole > .seconds(10) {
        throw Failure(
          "after kill \(breaker.kills) not whole within 10 s: \(guest.sets().map(\.line).joined(separator: "; "))")
      }
    }
  }

  /// Moves some of the stream. `quiet`: moves nothing, only waits a moment.
  private func step(quiet: Bool) throws {
    if quiet {
      pause(.microseconds(200))
    } else if kind.writes {
      try receive(wait: 1)
    } else {
      try send(wait: 1)
    }
    if !kind.writes { try listen() }
  }

  /// Reads and checks what the guest wrote. False: there is nothing more now.
  @discardableResult
  private func receive(wait: Int32) throws -> Bool {
    let n: Int
    if channel.isFile {
      n = try call("pread") { pread(channel.fd, buffer.baseAddress, buffer.count, off_t(passed)) }
      if n == 0 { pause(.microseconds(100)) }
    } else {
      var event = pollfd(fd: channel.fd, events: Int16(POLLIN), revents: 0)
      guard poll(&event, 1, wait) > 0 else { return false }
      n = read(channel.fd, buffer.baseAddress, buffer.count)
      if n < 0 && (errno == EAGAIN || errno == EINTR) { return true }
      if n < 0 && errno == EIO { return false }  // the last writer of the terminal is gone
      if n < 0 { throw SystemError("read") }
    }
    guard n > 0 else { return false }
    if let fault = stream.fault(in: UnsafeRawBufferPointer(rebasing: buffer[..<n]), at: passed) { throw Failure(fault) }
    passed += UInt64(n)
    // What has been checked needs no room on the disk any more.
    if channel.isFile { _ = linux_punch_hole(channel.fd, 0, Int(passed / 4096 * 4096)) }
    return true
  }

  private func send(wait: Int32) throws {
    guard !channel.isFile else {
      pause(.microseconds(500))
      return
    }
    var event = pollfd(fd: channel.fd, events: Int16(POLLOUT), revents: 0)
    guard poll(&event, 1, wait) > 0 else { return }
    let part = stream.part(at: passed, atMost: Int.random(in: 1...40000, using: &random))
    let n = write(channel.fd, part.baseAddress, part.count)
    if n > 0 { passed += UInt64(n) }
    if n < 0 && errno != EAGAIN && errno != EINTR { throw SystemError("write to the guest: \(guestError())") }
  }

  /// Takes what a reading guest says: `at=N` after each 64 KB, `total=N` at the end.
  private func listen() throws {
    let n = read(reports, buffer.baseAddress, buffer.count)
    guard n > 0 else { return }
    partialLine.append(contentsOf: buffer[..<n])
    while let end = partialLine.firstIndex(of: 0x0A) {
      let line = String(decoding: partialLine[..<end], as: UTF8.self)
      partialLine.removeSubrange(...end)
      if line.hasPrefix("at="), let at = UInt64(line.dropFirst(3)) {
        guard at == heard + 65536 else { throw Failure("the guest said at=\(at) after at=\(heard)") }
        heard = at
      } else if line.hasPrefix("total="), let total = UInt64(line.dropFirst(6)), heardTotal == nil {
        heardTotal = total
      } else {
        throw Failure("the guest said '\(line)' after at=\(heard)")
      }
    }
  }

  /// Ends the guest in good order and compares the totals.
  private func finish() throws {
    if !kind.writes && kind.medium == .pty { try completeTerminal() }
    close(leash)
    leash = -1
    if !kind.writes && !channel.isFile { channel.end() }
    let deadline = Instant.now + .seconds(20)
    while true {
      let more = kind.writes ? try receive(wait: 20) : false
      if !kind.writes {
        try listen()
        pause(.milliseconds(1))
      }
      if guest.child.poll() != nil && !more { break }
      if Instant.now > deadline { throw Failure("the guest does not end\(guestError())") }
    }
    guard guest.child.ending == .exited(0) else {
      throw Failure("the guest ended with \(guest.child.ending?.description ?? "nothing")\(guestError())")
    }
    if kind.writes {
      while try receive(wait: 0) {}
      let said = guestError(label: false)
      guard said == "total=\(passed)" else { throw Failure("\(passed) bytes came, the guest says '\(said)'") }
    } else {
      try listen()
      guard let heardTotal else { throw Failure("the guest said no total\(guestError())") }
      guard channel.isFile || heardTotal == passed else {
        throw Failure("\(passed) bytes were sent, the guest read \(heardTotal)")
      }
      if channel.isFile { passed = heardTotal }
    }
  }

  /// What is in a terminal is lost when it is closed: first the guest must have read it all.
  private func completeTerminal() throws {
    let deadline = Instant.now + .seconds(20)
    let goal = (passed / 65536 + 1) * 65536
    while heard < goal {
      if passed < goal {
        let part = stream.part(at: passed, atMost: Int(min(4096, goal - passed)))
        let n = write(channel.fd, part.baseAddress, part.count)
        if n > 0 { passed += UInt64(n) }
      }
      try listen()
      pause(.microseconds(100))
      if Instant.now > deadline { throw Failure("the guest has read \(heard) of \(goal) bytes") }
    }
  }

  private func guestError(label: Bool = true) -> String {
    let text =
      (try? File.text(directory + "/guest.err"))?.split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
    return label ? (text.isEmpty ? "" : " (it says: \(text))") : text
  }

  private func cleanUp() {
    for fd in [leash, reports] where fd >= 0 { close(fd) }
    guest.child.stop(SIGKILL)
    buffer.deallocate()
    unlink(directory + "/stream")
  }

  private static func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    try call("pipe") { Glibc.pipe(&ends) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }
}
