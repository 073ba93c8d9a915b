import Glibc
import MFRControl
import MFRHarness

/// QEMU's monitor: injects machine checks, and says where an address leads in the memory map of the moment.
final class Monitor {
  private let fd: Int32
  private var reader: LineReader

  init(_ fd: Int32) throws {
    self.fd = fd
    reader = LineReader(fd)
    _ = try answer { $0["QMP"] != nil }
    try execute(#"{"execute":"qmp_capabilities"}"#)
  }
  deinit { close(fd) }

  /// Machine checks as the processor reports them: MACHINE-CHECK.md has where the numbers come from.
  enum MachineCheck {
    /// Found by the memory scrubber; nobody has used the bad data.
    case found
    /// A load was answered with bad data.
    case consumed

    func command(at address: UInt64) -> String {
      let place = "0x" + String(address, radix: 16)
      return switch self {
      case .found: "mce 0 9 0xbd000000000000c0 0x5 \(place) 0x8c"
      case .consumed: "mce 0 9 0xbd80000000000134 0x7 \(place) 0x8c"
      }
    }
  }

  func inject(_ check: MachineCheck, at address: UInt64) throws {
    let said = try human(check.command(at: address))
    guard said.isEmpty else { throw Failure("QEMU refuses the machine check: \(said)") }
  }

  /// The guest-physical address behind a virtual one, for the process that is on the processor now.
  func physical(_ address: UInt64) throws -> UInt64? {
    let said = try human("gva2gpa 0x" + String(address, radix: 16))
    guard let hexadecimal = said.split(separator: "0x").last, said.hasPrefix("gpa:") else { return nil }
    return UInt64(hexadecimal.prefix { $0.isHexDigit }, radix: 16)
  }

  private func human(_ line: String) throws -> String {
    let arguments = JSON.object([.init("command-line", .string(line))])
    let request = JSON.object([.init("execute", .string("human-monitor-command")), .init("arguments", arguments)])
    return try execute(request.text)["return"]?.string ?? ""
  }

  @discardableResult
  private func execute(_ request: String) throws -> JSON {
    try File.writeAll(fd, Array((request + "\n").utf8), what: "QEMU's monitor")
    let answer = try answer { $0["return"] != nil || $0["error"] != nil }
    if let error = answer["error"] { throw Failure("QEMU's monitor: \(error.text)") }
    return answer
  }

  /// The next message that is wanted; events come in between.
  private func answer(_ wanted: (JSON) -> Bool) throws -> JSON {
    while let lines = try reader.read() {
      for line in lines {
        let message = try JSON.parse(line.utf8)
        if wanted(message) { return message }
      }
    }
    throw Failure("QEMU's monitor has closed")
  }
}
