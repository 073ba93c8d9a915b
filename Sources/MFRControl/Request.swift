/// What a tool asks a coordinator, one JSON object on one line; the answer is one line, too.
public enum ControlRequest: Equatable, Sendable {
  case status
  case setLevel(UInt32)
  case failover
  case inject(Injection)
  /// Makes what is missing again, after it was given up.
  case restore
  /// The events after that number, as the events file has them.
  case events(after: UInt64)

  public struct Injection: Equatable, Sendable {
    public enum Fault: String, CaseIterable, Sendable {
      case poison
      case poisonReal = "poison-real"
      case segv, kill, hang, spin, bitflip
      public static var list: String {
        allCases.dropLast().map(\.rawValue).joined(separator: ", ") + " or bitflip"
      }
    }
    public enum Target: Equatable, Sendable {
      case leader
      case follower
      case index(UInt32)
      public init?(_ text: String) {
        switch text {
        case "leader": self = .leader
        case "follower": self = .follower
        default:
          guard let index = UInt32(text), index < 16 else { return nil }
          self = .index(index)
        }
      }
      public var text: String {
        switch self {
        case .leader: "leader"
        case .follower: "follower"
        case .index(let index): String(index)
        }
      }
    }
    public enum BufferPart: String, CaseIterable, Sendable { case header, replicas, slots, data }
    public enum Place: Equatable, Sendable {
      case heap
      case stack
      case data
      case text
      /// What replicas share to stay in step: anywhere in it, or in one part.
      case buffer(BufferPart?)
      case address(UInt64)
      public init?(_ text: String) {
        switch text {
        case "heap": self = .heap
        case "stack": self = .stack
        case "data": self = .data
        case "text": self = .text
        case "buffer": self = .buffer(nil)
        default:
          if text.hasPrefix("buffer:"), let part = BufferPart(rawValue: String(text.dropFirst(7))) {
            self = .buffer(part)
            return
          }
          guard text.hasPrefix("0x"), let address = UInt64(text.dropFirst(2), radix: 16) else { return nil }
          self = .address(address)
        }
      }
      public var text: String {
        switch self {
        case .heap: "heap"
        case .stack: "stack"
        case .data: "data"
        case .text: "text"
        case .buffer(let part): part.map { "buffer:\($0.rawValue)" } ?? "buffer"
        case .address(let address): "0x" + String(address, radix: 16)
        }
      }
    }
    public var fault: Fault
    public var target: Target
    public var place: Place
    /// Chooses page and bit: the same seed chooses the same ones in the same memory.
    public var seed: UInt64
    public init(fault: Fault, target: Target, place: Place, seed: UInt64) {
      self.fault = fault
      self.target = target
      self.place = place
      self.seed = seed
    }
  }

  /// A request that is none; `description` is the answer.
  public struct Invalid: Error, Equatable, CustomStringConvertible {
    public let description: String
  }

  public var json: JSON {
    switch self {
    case .status: .object([.init("request", .string("status"))])
    case .setLevel(let level): .object([.init("request", .string("set-level")), .init("level", JSON(level))])
    case .failover: .object([.init("request", .string("failover"))])
    case .restore: .object([.init("request", .string("restore"))])
    case .events(let after):
      .object([.init("request", .string("events")), .init("after", .integer(Int64(clamping: after)))])
    case .inject(let injection):
      .object([
        .init("request", .string("inject")), .init("fault", .string(injection.fault.rawValue)),
        .init("replica", .string(injection.target.text)), .init("at", .string(injection.place.text)),
        .init("seed", .integer(Int64(bitPattern: injection.seed))),
      ])
    }
  }

  public init(line: some Sequence<UInt8>) throws(Invalid) {
    let json: JSON
    do { json = try JSON.parse(line) } catch { throw Invalid(description: error.description) }
    switch json["request"]?.string {
    case "status": self = .status
    case "failover": self = .failover
    case "restore": self = .restore
    case "events": self = .events(after: UInt64(clamping: json["after"]?.integer ?? 0))
    case "set-level":
      guard let level = json["level"]?.integer, (0...15).contains(level) else {
        throw Invalid(description: "set-level needs a level from 0 to 15")
      }
      self = .setLevel(UInt32(level))
    case "inject":
      guard let fault = json["fault"]?.string.flatMap(Injection.Fault.init(rawValue:)) else {
        throw Invalid(description: "inject needs a fault: \(Injection.Fault.list)")
      }
      guard let target = Injection.Target(json["replica"]?.string ?? "leader") else {
        throw Invalid(description: "replica is leader, follower or an index from 0 to 15")
      }
      guard let place = Injection.Place(json["at"]?.string ?? "heap") else {
        throw Invalid(
          description:
            "at is heap, stack, data, text, buffer[:header|replicas|slots|data] or an address like 0x7f0000001000")
      }
      let seed = json["seed"]?.integer ?? 1
      self = .inject(Injection(fault: fault, target: target, place: place, seed: UInt64(bitPattern: seed)))
    default:
      throw Invalid(description: "unknown request; known are status, set-level, failover, inject, restore and events")
    }
  }
}
