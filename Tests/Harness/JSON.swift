/// A JSON value. Small on purpose: the tools read a few hundred lines of their own making.
public indirect enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  public struct Malformed: Error, CustomStringConvertible {
    public let description: String
  }

  public init(parsing text: String) throws {
    var parser = Parser(bytes: Array(text.utf8))
    self = try parser.value()
    parser.skipSpace()
    guard parser.atEnd else { throw parser.malformed("text after the value") }
  }

  public subscript(key: String) -> JSON {
    if case .object(let members) = self { return members[key] ?? .null }
    return .null
  }
  public var string: String? { if case .string(let s) = self { s } else { nil } }
  public var number: Double? { if case .number(let n) = self { n } else { nil } }
  public var integer: Int? { number.flatMap { Int(exactly: $0) } }
  public var bool: Bool? { if case .bool(let b) = self { b } else { nil } }
  public var array: [JSON] { if case .array(let a) = self { a } else { [] } }
  public var isNull: Bool { self == .null }

  public var text: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .number(let value):
      if let whole = Int64(exactly: value) { return String(whole) }
      return value.isFinite ? String(value) : "null"
    case .string(let value): return Self.quote(value)
    case .array(let values): return "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      let parts = members.sorted { $0.key < $1.key }.map { Self.quote($0.key) + ":" + $0.value.text }
      return "{" + parts.joined(separator: ",") + "}"
    }
  }

  private static func quote(_ value: String) -> String {
    var out = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      case "\r": out += "\\r"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}

extension JSON {
  fileprivate struct Parser {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var atEnd: Bool { at >= bytes.count }
    func malformed(_ what: String) -> Malformed { Malformed(description: "JSON: \(what) at byte \(at)") }

    mutating func skipSpace() {
      while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
    }

    mutating func take(_ literal: StaticString, as value: JSON) throws -> JSON {
      let wanted = Array(literal.description.utf8)
      guard bytes.count - at >= wanted.count, Array(bytes[at..<at + wanted.count]) == wanted else {
        throw malformed("unknown word")
      }
      at += wanted.count
      return value
    }

    mutating func value() throws -> JSON {
      skipSpace()
      guard !atEnd else { throw malformed("value missing") }
      switch bytes[at] {
      case UInt8(ascii: "{"): return try object()
      case UInt8(ascii: "["): return try list()
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try take("true", as: .bool(true))
      case UInt8(ascii: "f"): return try take("false", as: .bool(false))
      case UInt8(ascii: "n"): return try take("null", as: .null)
      default: return try number()
      }
    }

    mutating func object() throws -> JSON {
      at += 1
      var members: [String: JSON] = [:]
      skipSpace()
      if !atEnd, bytes[at] == UInt8(ascii: "}") { at += 1; return .object(members) }
      while true {
        skipSpace()
        let key = try string()
        skipSpace()
        guard !atEnd, bytes[at] == UInt8(ascii: ":") else { throw malformed("':' missing") }
        at += 1
        members[key] = try value()
        skipSpace()
        guard !atEnd else { throw malformed("'}' missing") }
        defer { at += 1 }
        if bytes[at] == UInt8(ascii: "}") { return .object(members) }
        guard bytes[at] == UInt8(ascii: ",") else { throw malformed("',' missing") }
      }
    }

    mutating func list() throws -> JSON {
      at += 1
      var values: [JSON] = []
      skipSpace()
      if !atEnd, bytes[at] == UInt8(ascii: "]") { at += 1; return .array(values) }
      while true {
        values.append(try value())
        skipSpace()
        guard !atEnd else { throw malformed("']' missing") }
        defer { at += 1 }
        if bytes[at] == UInt8(ascii: "]") { return .array(values) }
        guard bytes[at] == UInt8(ascii: ",") else { throw malformed("',' missing") }
      }
    }

    mutating func number() throws -> JSON {
      let start = at
      while !atEnd, "+-.eE0123456789".utf8.contains(bytes[at]) { at += 1 }
      guard let value = Double(String(decoding: bytes[start..<at], as: UTF8.self)) else {
        throw malformed("not a value")
      }
      return .number(value)
    }

    mutating func string() throws -> String {
      guard !atEnd, bytes[at] == UInt8(ascii: "\"") else { throw malformed("string missing") }
      at += 1
      var out: [UInt8] = []
      while true {
        guard !atEnd else { throw malformed("string not closed") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""): return String(decoding: out, as: UTF8.self)
        case UInt8(ascii: "\\"): out.append(contentsOf: try escape())
        default: out.append(byte)
        }
      }
    }

    mutating func escape() throws -> [UInt8] {
      guard !atEnd else { throw malformed("escape cut short") }
      let byte = bytes[at]
      at += 1
      switch byte {
      case UInt8(ascii: "n"): return [0x0A]
      case UInt8(ascii: "t"): return [0x09]
      case UInt8(ascii: "r"): return [0x0D]
      case UInt8(ascii: "b"): return [0x08]
      case UInt8(ascii: "f"): return [0x0C]
      case UInt8(ascii: "u"):
        var unit = try hexUnit()
        if (0xD800..<0xDC00).contains(unit), bytes.count - at >= 6, bytes[at] == 0x5C, bytes[at + 1] == 0x75 {
          at += 2
          let low = try hexUnit()
          unit = 0x10000 + ((unit - 0xD800) << 10) + (low &- 0xDC00)
        }
        return Array(String(Unicode.Scalar(unit).map(Character.init) ?? "\u{FFFD}").utf8)
      default: return [byte]
      }
    }

    mutating func hexUnit() throws -> UInt32 {
      guard bytes.count - at >= 4,
        let unit = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
      else { throw malformed("bad \\u escape") }
      at += 4
      return unit
    }
  }
}
