import ArgumentParser
import Glibc
import MFRControl
import MFRHarness

/// What one connection has stored: a counter, and values under keys that take turns. After a lost connection it
/// goes on under new keys, because nobody can say which of the outstanding commands the server has carried out.
final class KeySpace {
  static let valueCount = 64
  private let connection: Int
  private var life = 0
  private(set) var counterKey: [UInt8] = []
  private(set) var valueKeys: [[UInt8]] = []
  var counter: UInt64 = 0
  /// Each three turns are of one value: count, store, fetch.
  var turn: UInt64 = 0
  var valueKey: [UInt8] { valueKeys[Int(turn / 3 % UInt64(Self.valueCount))] }

  init(_ connection: Int) {
    self.connection = connection
    nameKeys()
  }

  func renew() {
    life += 1
    counter = 0
    turn = 0
    nameKeys()
  }

  private func nameKeys() {
    counterKey = Array("mfr:\(getpid()):\(connection):\(life):n".utf8)
    valueKeys = (0..<Self.valueCount).map { Array("mfr:\(getpid()):\(connection):\(life):v\($0)".utf8) }
  }

  /// The turn in which a value was stored last, by its place among the keys; nil if it was not.
  func lastStored(_ place: Int) -> UInt64? {
    // Turn 3 n + 1 stores value n; `turn` is the next one.
    guard turn >= 2 else { return nil }
    let stored = (turn - 2) / 3 + 1
    let count = UInt64(Self.valueCount)
    guard UInt64(place) < stored else { return nil }
    let value = (stored - 1 - UInt64(place)) / count * count + UInt64(place)
    return value * 3 + 1
  }
}

/// Values of one length, each different from the one before in its first bytes and in its phase.
struct Payload {
  let length: Int
  private let letters: [UInt8]

  init(length: Int) {
    self.length = max(20, length)
    var random = SplitMix(seed: 20)
    letters = (0..<self.length + 64).map { _ in UInt8.random(in: UInt8(ascii: "a")...UInt8(ascii: "z"), using: &random)
    }
  }

  func append(_ number: UInt64, to out: inout ByteQueue) {
    out.append(decimal: number)
    var digits = 1
    var rest = number / 10
    while rest > 0 {
      rest /= 10
      digits += 1
    }
    let phase = Int(number % 64)
    letters.withUnsafeBytes { all in
      out.append(UnsafeRawBufferPointer(rebasing: all[phase..<phase + length - digits]))
    }
  }
}

extension Payload {
  func text(_ number: UInt64) -> String {
    var queue = ByteQueue()
    append(number, to: &queue)
    return String(decoding: queue.all, as: UTF8.self)
  }
}

struct Redis: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "INCR, SET and GET on a redis server; every reply is known beforehand and compared.")

  @OptionGroup var options: LoadOptions
  @Option(help: "Commands sent at once on a connection.")
  var pipeline = 1
  @Option(help: "Bytes in a value, at least 20.")
  var size = 64
  @Option(help: "Write to this file what the server holds at the end, for `mfr-load replay`.")
  var ledger: String?

  func run() throws {
    let payload = Payload(length: size)
    let depth = max(1, pipeline)
    let spaces = (0..<options.connections).map { KeySpace($0) }
    let talks = spaces.map { keys in
      ScriptTalk(restart: keys.renew) { requests, answers in
        for _ in 0..<depth {
          Self.one(keys, payload, &requests, &answers)
          keys.turn += 1
        }
        return depth
      }
    }
    try options.report(Engine(options.load("redis pipeline \(depth)"), talks: talks)) { report in
      if let ledger { try Self.holdings(spaces, payload).write(to: ledger) }
    }
  }

  /// Each key with its value, and that there is none besides.
  private static func holdings(_ spaces: [KeySpace], _ payload: Payload) -> Ledger {
    var ledger = Ledger()
    var keyCount = 0
    ledger.expect("PING\r\n", "+PONG\r\n")  // it answers otherwise while it still loads
    func get(_ key: [UInt8], _ value: String) {
      keyCount += 1
      ledger.expect("GET \(String(decoding: key, as: UTF8.self))\r\n", "$\(value.utf8.count)\r\n\(value)\r\n")
    }
    for keys in spaces {
      if keys.counter > 0 { get(keys.counterKey, "\(keys.counter)") }
      for place in 0..<KeySpace.valueCount {
        if let turn = keys.lastStored(place) { get(keys.valueKeys[place], payload.text(turn)) }
      }
    }
    ledger.expect("DBSIZE\r\n", ":\(keyCount)\r\n")
    return ledger
  }

  private static func one(
    _ keys: KeySpace, _ payload: Payload, _ requests: inout ByteQueue, _ answers: inout ByteQueue
  ) {
    switch keys.turn % 3 {
    case 0:
      keys.counter += 1
      requests.append("*2\r\n$4\r\nINCR\r\n")
      requests.append(bulk: keys.counterKey)
      answers.append(":")
      answers.append(decimal: keys.counter)
      answers.append("\r\n")
    case 1:
      requests.append("*3\r\n$3\r\nSET\r\n")
      requests.append(bulk: keys.valueKey)
      append(payload, keys.turn, to: &requests)
      answers.append("+OK\r\n")
    default:
      requests.append("*2\r\n$3\r\nGET\r\n")
      requests.append(bulk: keys.valueKey)
      append(payload, keys.turn - 1, to: &answers)
    }
  }

  private static func append(_ payload: Payload, _ number: UInt64, to out: inout ByteQueue) {
    out.append("$")
    out.append(decimal: UInt64(payload.length))
    out.append("\r\n")
    payload.append(number, to: &out)
    out.append("\r\n")
  }
}

struct Memcached: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "set, get and incr on a memcached server; every reply is known beforehand and compared.")

  @OptionGroup var options: LoadOptions
  @Option(help: "Commands sent at once on a connection.")
  var pipeline = 1
  @Option(help: "Bytes in a value, at least 20.")
  var size = 64

  func run() throws {
    let payload = Payload(length: size)
    let depth = max(1, pipeline)
    let talks = (0..<options.connections).map { connection in
      let keys = KeySpace(connection)
      return ScriptTalk(restart: keys.renew) { requests, answers in
        for _ in 0..<depth {
          Self.one(keys, payload, &requests, &answers)
          keys.turn += 1
        }
        return depth
      }
    }
    try options.report(Engine(options.load("memcached pipeline \(depth)"), talks: talks))
  }

  private static func one(
    _ keys: KeySpace, _ payload: Payload, _ requests: inout ByteQueue, _ answers: inout ByteQueue
  ) {
    switch keys.turn % 3 {
    case 0 where keys.counter == 0:
      keys.counter = 1
      requests.append("set ")
      requests.append(bytes: keys.counterKey)
      requests.append(" 0 0 1\r\n1\r\n")
      answers.append("STORED\r\n")
    case 0:
      keys.counter += 1
      requests.append("incr ")
      requests.append(bytes: keys.counterKey)
      requests.append(" 1\r\n")
      answers.append(decimal: keys.counter)
      answers.append("\r\n")
    case 1:
      requests.append("set ")
      requests.append(bytes: keys.valueKey)
      requests.append(" 0 0 ")
      requests.append(decimal: UInt64(payload.length))
      requests.append("\r\n")
      payload.append(keys.turn, to: &requests)
      requests.append("\r\n")
      answers.append("STORED\r\n")
    default:
      requests.append("get ")
      requests.append(bytes: keys.valueKey)
      requests.append("\r\n")
      answers.append("VALUE ")
      answers.append(bytes: keys.valueKey)
      answers.append(" 0 ")
      answers.append(decimal: UInt64(payload.length))
      answers.append("\r\n")
      payload.append(keys.turn - 1, to: &answers)
      answers.append("\r\nEND\r\n")
    }
  }
}

extension ByteQueue {
  mutating func append(bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

  /// A redis bulk string.
  mutating func append(bulk bytes: [UInt8]) {
    append("$")
    append(decimal: UInt64(bytes.count))
    append("\r\n")
    append(bytes: bytes)
    append("\r\n")
  }
}
