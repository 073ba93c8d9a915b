/// A JSON value, with what the control protocol and the events file need of it; no Foundation.
public enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSON])
  /// Members in the order in which they are written.
  case object([Member])

  public struct Member: Equatable, Sendable {
    public var key: String
    public var value: JSON
    public init(_ key: String, _ value: JSON) {
      self.key = key
      self.value = value
    }
  }

  public init(_ value: some BinaryInteger) { self = .integer(Int64(clamping: value)) }

  // MARK: reading

  /// The member of that name; nil for any other value.
  public subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }
  public var string: String? { if case .string(let text) = self { text } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var array: [JSON]? { if case .array(let values) = self { values } else { nil } }
  public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }

  // MARK: writing

  /// The value on one line.
  public var text: String {
    var out = ""
    write(to: &out)
    return out
  }

  private func write(to out: inout String) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .integer(let value): out += String(value)
    case .number(let value): out += value.isFinite ? String(value) : "null"
    case .string(let value): Self.quote(value, to: &out)
    case .array(let values):
      out += "["
      for (index, value) in values.enumerated() {
        if index > 0 { out += "," }
        value.write(to: &out)
      }
      out += "]"
    case .object(let members):
      out += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { out += "," }
        Self.quote(member.key, to: &out)
        out += ":"
        member.value.write(to: &out)
      }
      out += "}"
    }
  }

  private static func quote(_ text: String, to out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}

extension JSON {
  /// The text is no JSON, or is nested more than 32 deep.
  public struct Malformed: Error, Equatable, CustomStringConvertible {
    /// Byte at which it was noticed.
    public let offset: Int
    public var description: String { "malformed JSON at byte \(offset)" }
  }

  /// Reads one value that fills the whole text.
  public static func parse(_ text: some Sequence<UInt8>) throws(Malformed) -> JSON {
    var parser = Parser(bytes: Array(text))
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    if parser.position < parser.bytes.count { throw parser.malformed }
    return value
  }

  private struct Parser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }
    var malformed: Malformed { Malformed(offset: position) }
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipSpace() {
      while let byte = next, byte == 32 || (9...10).contains(byte) || byte == 13 { position += 1 }
    }
    mutating func take(_ byte: UInt8) -> Bool {
      skipSpace()
      guard next == byte else { return false }
      position += 1
      return true
    }
    mutating func word(_ text: String, _ value: JSON) throws(Malformed) -> JSON {
      guard bytes[position...].starts(with: text.utf8) else { throw malformed }
      position += text.utf8.count
      return value
    }

    mutating func value(depth: Int) throws(Malformed) -> JSON {
      skipSpace()
      guard depth < 32, let byte = next else { throw malformed }
      switch byte {
      case UInt8(ascii: "{"): return try object(depth)
      case UInt8(ascii: "["): return try array(depth)
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      default: return try number()
      }
    }

    private mutating func object(_ depth: Int) throws(Malformed) -> JSON {
      position += 1
      var members: [Member] = []
      if take(UInt8(ascii: "}")) { return .object([]) }
      repeat {
        skipSpace()
        guard next == UInt8(ascii: "\"") else { throw malformed }
        let key = try string()
        guard take(UInt8(ascii: ":")) else { throw malformed }
        members.append(Member(key, try value(depth: depth + 1)))
      } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "}")) else { throw malformed }
      return .object(members)
    }

    private mutating func array(_ depth: Int) throws(Malformed) -> JSON {
      position += 1
      var values: [JSON] = []
      if take(UInt8(ascii: "]")) { return .array([]) }
      repeat { values.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "]")) else { throw malformed }
      return .array(values)
    }

    private mutating func string() throws(Malformed) -> String {
      position += 1
      var out: [UInt8] = []
      while let byte = next {
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return String(decoding: out, as: UTF8.self)
        case UInt8(ascii: "\\"): out += try escape()
        case 0..<0x20: throw malformed
        default: out.append(byte)
        }
      }
      throw malformed
    }

    private mutating func escape() throws(Malformed) -> [UInt8] {
      guard let byte = next else { throw malformed }
      position += 1
      switch byte {
      case UInt8(ascii: "n"): return [10]
      case UInt8(ascii: "t"): return [9]
      case UInt8(ascii: "r"): return [13]
      case UInt8(ascii: "b"): return [8]
      case UInt8(ascii: "f"): return [12]
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
      case UInt8(ascii: "u"):
        var unit = try hexadecimal()
        if (0xd800..<0xdc00).contains(unit), bytes[position...].starts(with: [0x5c, 0x75]) {
          position += 2
          unit = 0x10000 + (unit - 0xd800) << 10 + (try hexadecimal() & 0x3ff)
        }
        return Array(String(Unicode.Scalar(unit) ?? "\u{fffd}").utf8)
      default: throw malformed
      }
    }

    private mutating func hexadecimal() throws(Malformed) -> UInt32 {
      guard position + 4 <= bytes.count,
        let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
      else { throw malformed }
      position += 4
      return value
    }

    private mutating func number() throws(Malformed) -> JSON {
      let start = position
      while let byte = next, (48...57).contains(byte) || [43, 45, 46, 69, 101].contains(byte) { position += 1 }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      if let value = Int64(text) { return .integer(value) }
      if let value = Double(text) { return .number(value) }
      throw malformed
    }
  }
}
