import MFRControl

/// What one run of `mfr-load` saw. It is written as JSON and read back by campaign and benchmark.
public struct LoadReport: Sendable {
  public var name: String
  public var seconds: Double
  public var requests: Int
  /// Refused, reset or closed connections, wrong statuses, time-outs, answers of the wrong form.
  public var errors: Int
  /// Answers with a byte that is not the expected one.
  public var wrong: Int
  /// Answers, or jobs, that came once more than asked for.
  public var doubled: Int
  public var reconnects: Int
  public var p50: Duration
  public var p99: Duration
  public var max: Duration
  public var kinds: [String: Int]
  /// What was wrong with the first few of them, in words.
  public var complaints: [String]

  public init(
    name: String, seconds: Double, requests: Int, errors: Int, wrong: Int, doubled: Int, reconnects: Int,
    p50: Duration, p99: Duration, max: Duration, kinds: [String: Int], complaints: [String] = []
  ) {
    self.name = name
    self.seconds = seconds
    self.requests = requests
    self.errors = errors
    self.wrong = wrong
    self.doubled = doubled
    self.reconnects = reconnects
    self.p50 = p50
    self.p99 = p99
    self.max = max
    self.kinds = kinds
    self.complaints = complaints
  }

  public var requestsPerSecond: Double { seconds > 0 ? Double(requests) / seconds : 0 }
  public var isClean: Bool { errors == 0 && wrong == 0 && doubled == 0 && requests > 0 }

  public init(_ json: JSON) throws {
    func count(_ key: String) throws -> Int {
      guard let value = json[key]?.integer else { throw Failure("load report without '\(key)'") }
      return Int(value)
    }
    func time(_ key: String) throws -> Duration {
      guard let value = json[key]?.double else { throw Failure("load report without '\(key)'") }
      return .nanoseconds(Int64(value * 1000))
    }
    guard let name = json["name"]?.string, let seconds = json["seconds"]?.double else {
      throw Failure("not a load report: \(json.text.prefix(200))")
    }
    var kinds: [String: Int] = [:]
    if case .object(let members) = json["kinds"] {
      for member in members { kinds[member.key] = Int(member.value.integer ?? 0) }
    }
    self.init(
      name: name, seconds: seconds, requests: try count("requests"), errors: try count("errors"),
      wrong: try count("wrong"), doubled: try count("doubled"), reconnects: try count("reconnects"),
      p50: try time("p50_us"), p99: try time("p99_us"), max: try time("max_us"), kinds: kinds,
      complaints: json["complaints"]?.array?.compactMap(\.string) ?? [])
  }

  public var json: JSON {
    .object([
      .init("name", .string(name)), .init("seconds", .number(seconds)), .init("requests", JSON(requests)),
      .init("requests_per_second", JSON(Int(requestsPerSecond))), .init("errors", JSON(errors)),
      .init("wrong", JSON(wrong)), .init("doubled", JSON(doubled)), .init("reconnects", JSON(reconnects)),
      .init("p50_us", .number(p50.microseconds)), .init("p99_us", .number(p99.microseconds)),
      .init("max_us", .number(max.microseconds)),
      .init("kinds", .object(kinds.sorted { $0.key < $1.key }.map { .init($0.key, JSON($0.value)) })),
      .init("complaints", .array(complaints.map { .string($0) })),
    ])
  }

  public var text: String {
    var lines = [
      "\(name): \(requests) answers checked in \(fixed(seconds, 1)) s, \(Int(requestsPerSecond)) per second",
      "  errors \(errors)   wrong bytes \(wrong)   doubled \(doubled)   reconnects \(reconnects)",
      "  latency p50 \(shown(p50))   p99 \(shown(p99))   max \(shown(max))",
    ]
    if !kinds.isEmpty {
      lines.append("  " + kinds.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "))
    }
    for complaint in complaints { lines.append("  \(complaint)") }
    return lines.joined(separator: "\n")
  }
}

extension JSON {
  /// Any number.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}
