import Glibc
import MFRHarness

/// QEMU's debugger (GDB's remote protocol). The machine stands still from its creation to `detach`, but in `resume`.
final class Debugger {
  private let fd: Int32
  private unowned let machine: VirtualMachine
  private var bytes: [UInt8] = []

  /// Where the machine has stopped.
  struct Stop {
    /// The address that was touched, with a watchpoint.
    var touched: UInt64?
  }
  struct Registers {
    var rcx: UInt64
    var rdx: UInt64
    var rsi: UInt64
    var rdi: UInt64
    var rip: UInt64
    /// 3 in user mode.
    var ring: UInt32
  }
  enum Breaker: Equatable {
    case execution(UInt64)
    case access(UInt64, bytes: UInt64)
    var text: String {
      switch self {
      case .execution(let address): "1,\(String(address, radix: 16)),1"
      case .access(let address, let bytes): "4,\(String(address, radix: 16)),\(String(bytes, radix: 16))"
      }
    }
  }

  init(_ fd: Int32, _ machine: VirtualMachine) throws {
    self.fd = fd
    self.machine = machine
    _ = try ask("?")
  }
  deinit { close(fd) }

  private var places: [Breaker] = []

  func set(_ breaker: Breaker) throws {
    try expectOK("Z" + breaker.text)
    places.append(breaker)
  }
  func clear(_ breaker: Breaker) throws {
    try expectOK("z" + breaker.text)
    places.removeAll { $0 == breaker }
  }

  /// Takes everything back and lets the machine run on.
  func finish() throws {
    for place in places { try clear(place) }
    _ = try ask("D")
  }

  /// QEMU would stop at the same place at once.
  private func stepOver() throws {
    let here = Breaker.execution(try registers().rip)
    guard places.contains(here) else { return }
    try expectOK("z" + here.text)
    try send("s")
    try waitForPacket(.seconds(10))
    _ = try packet()
    try expectOK("Z" + here.text)
  }

  /// Lets the machine run until it stops at a breaker; nil when that does not happen in time: then it is stopped.
  func resume(upTo limit: Duration = .seconds(20)) throws -> Stop? {
    try stepOver()
    try send("c")
    var late = false
    do { try waitForPacket(limit) } catch is Failure { late = true }
    if late {
      try File.writeAll(fd, [3], what: "QEMU's debugger")
      try waitForPacket(.seconds(10))
    }
    let text = try packet()
    if late { return nil }
    guard text.hasPrefix("T05") || text.hasPrefix("S05") else { throw Failure("the debugger says '\(text)'") }
    var stop = Stop()
    for field in text.dropFirst(3).split(separator: ";") {
      let parts = field.split(separator: ":")
      if parts.count == 2, parts[0].hasSuffix("watch") { stop.touched = UInt64(parts[1], radix: 16) }
    }
    return stop
  }

  func registers() throws -> Registers {
    let text = Array(try ask("g").utf8)
    func value(at byte: Int, bytes: Int) throws -> UInt64 {
      guard text.count >= (byte + bytes) * 2 else { throw Failure("the debugger knows too few registers") }
      var value: UInt64 = 0
      for index in (0..<bytes).reversed() {
        let digits = String(decoding: text[(byte + index) * 2..<(byte + index) * 2 + 2], as: UTF8.self)
        value = value << 8 | (UInt64(digits, radix: 16) ?? 0)
      }
      return value
    }
    // rax rbx rcx rdx rsi rdi rbp rsp r8-r15, rip, then 32 bits each: eflags, cs
    return Registers(
      rcx: try value(at: 2 * 8, bytes: 8), rdx: try value(at: 3 * 8, bytes: 8), rsi: try value(at: 4 * 8, bytes: 8),
      rdi: try value(at: 5 * 8, bytes: 8), rip: try value(at: 16 * 8, bytes: 8),
      ring: UInt32(try value(at: 17 * 8 + 4, bytes: 4)) & 3)
  }

  func memory(_ address: UInt64, _ count: Int) throws -> [UInt8] {
    let text = Array(try ask("m\(String(address, radix: 16)),\(String(count, radix: 16))").utf8)
    guard text.count == count * 2 else { return [] }
    return (0..<count).map { UInt8(String(decoding: text[$0 * 2..<$0 * 2 + 2], as: UTF8.self), radix: 16) ?? 0 }
  }

  // MARK: packets

  private func expectOK(_ command: String) throws {
    let answer = try ask(command)
    guard answer == "OK" else { throw Failure("the debugger answers '\(answer)' to \(command)") }
  }

  private func ask(_ command: String) throws -> String {
    try send(command)
    // QEMU tells once more that the machine has stopped, some time after a debugger has come.
    var answer: String
    repeat {
      try waitForPacket(.seconds(10))
      answer = try packet()
    } while answer.hasPrefix("T05") && command != "?"
    return answer
  }

  private func send(_ text: String) throws {
    let sum = text.utf8.reduce(UInt8(0)) { $0 &+ $1 }
    let digits = String(sum, radix: 16)
    try File.writeAll(
      fd, Array("$\(text)#\(digits.count < 2 ? "0" : "")\(digits)".utf8), what: "QEMU's debugger")
  }

  /// A whole packet is there: `$text#sum`.
  private var hasPacket: Bool {
    guard let start = bytes.firstIndex(of: UInt8(ascii: "$")),
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "#"))
    else { return false }
    return bytes.count >= end + 3
  }

  private func waitForPacket(_ limit: Duration) throws {
    let deadline = Instant.now + limit
    while !hasPacket {
      let left = deadline - .now
      try machine.pump("answer of the debugger", upTo: max(left, .milliseconds(1)), also: fd) { false }
      var chunk = [UInt8](repeating: 0, count: 65536)
      let count = try chunk.withUnsafeMutableBytes { raw in
        try call("read") { recv(fd, raw.baseAddress, raw.count, Int32(MSG_DONTWAIT)) }
      }
      guard count > 0 else { throw SystemError("the debugger has closed", EPIPE) }
      bytes += chunk[..<count]
    }
  }

  private func packet() throws -> String {
    guard let start = bytes.firstIndex(of: UInt8(ascii: "$")),
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "#"))
    else { throw Failure("no answer of the debugger") }
    let text = String(decoding: bytes[(start + 1)..<end], as: UTF8.self)
    bytes.removeFirst(min(bytes.count, end + 3))
    try File.writeAll(fd, [UInt8(ascii: "+")], what: "QEMU's debugger")
    return text
  }
}
