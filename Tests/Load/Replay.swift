import ArgumentParser
import Glibc
import MFRControl
import MFRHarness

/// What a server must answer after it has been started anew: requests and, byte for byte, the answers.
struct Ledger {
  private var lines: [String] = []

  mutating func expect(_ request: String, _ answer: String) {
    lines.append(JSON.object([.init("ask", .string(request)), .init("answer", .string(answer))]).text)
  }

  func write(to path: String) throws { try File.write(path, lines.joined(separator: "\n") + "\n") }

  static func read(_ path: String) throws -> [(ask: String, answer: String)] {
    try File.text(path).split(separator: "\n").map { line in
      let json = try JSON.parse(line.utf8)
      guard let ask = json["ask"]?.string, let answer = json["answer"]?.string else {
        throw Failure("\(path): not a ledger: \(line.prefix(80))")
      }
      return (ask, answer)
    }
  }
}

struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Asks a server that was started anew for all that a ledger says it has kept.",
    discussion: "The first question is asked until its answer is right: the server may still be loading its files.")

  @Option(help: "Port on 127.0.0.1.")
  var port: UInt16
  @Option(help: "File that a load has written with --ledger.")
  var ledger: String
  @Option(help: "Seconds without a complete answer that count as an error.")
  var timeout = 10.0

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    let lines = try Ledger.read(ledger)
    guard lines.count > 1 else { throw Failure("\(ledger) tells nothing") }
    var fd = try Port.connect(to: port)
    defer { close(fd) }
    /// Whatever is left of a wrong answer goes with its connection: the next question is not to read it.
    func connectAnew() throws {
      let new = try Port.connect(to: port)
      close(fd)
      fd = new
    }
    let begun = Instant.now
    var wrong = 0
    for (number, line) in lines.enumerated() {
      var got = try answer(fd, line.ask, line.answer)
      while number == 0, got != line.answer, Instant.now - begun < .seconds(fraction: timeout) {
        try connectAnew()
        got = try answer(fd, line.ask, line.answer)
      }
      guard got != line.answer else { continue }
      try connectAnew()
      wrong += 1
      if wrong <= 10 {
        complain("asked \(Self.shown(line.ask)): \(Self.shown(got)) and not \(Self.shown(line.answer))")
      }
    }
    say("\(lines.count) answers after a new start, \(wrong) wrong")
    if wrong > 0 { throw ExitCode.failure }
  }

  /// As many bytes as the right answer has, or up to the end of a line that is not it.
  private func answer(_ fd: Int32, _ ask: String, _ right: String) throws -> String {
    try File.writeAll(fd, Array(ask.utf8), what: "request")
    let wanted = Array(right.utf8)
    var got: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while got.count < wanted.count {
      if got.last == 0x0A, !wanted.starts(with: got) { break }
      var event = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
      guard poll(&event, 1, Int32(timeout * 1000)) > 0 else {
        throw Failure("no answer to \(Self.shown(ask)) within \(timeout) s")
      }
      let n = try call("receive") { recv(fd, &chunk, min(chunk.count, wanted.count - got.count), 0) }
      guard n > 0 else { throw Failure("the server closed the connection after \(Self.shown(ask))") }
      got.append(contentsOf: chunk[..<n])
    }
    return String(decoding: got, as: UTF8.self)
  }

  private static func shown(_ text: String) -> String {
    "'" + text.prefix(80).split(whereSeparator: \.isNewline).joined(separator: "|") + "'"
  }
}
