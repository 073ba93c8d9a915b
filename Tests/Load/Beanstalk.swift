import ArgumentParser
import Glibc
import MFRHarness

struct Beanstalk: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Puts, reserves and deletes numbered jobs; each must come exactly once, with its payload.")

  @OptionGroup var options: LoadOptions
  @Option(help: "Bytes in a job, at least 20.")
  var size = 64
  @Option(
    help: """
      Also leave jobs with the server, in a tube that nobody reserves from; and write to this file which ones it must \
      have at the end, for `mfr-load replay`.
      """)
  var ledger: String?

  func run() throws {
    let file = ledger
    let ledger = JobLedger(payload: Payload(length: size), keepEvery: file == nil ? nil : 64)
    let talks = (0..<options.connections).map { _ in BeanstalkTalk(ledger) }
    let engine = try Engine(options.load("beanstalk"), talks: talks)
    try options.report(engine) { report in
      if let file { try ledger.holdings().write(to: file) }
      let lost = ledger.outstanding
      guard report.errors == 0, lost > 0 else { return }
      // With no connection lost, each job that was put has come back by now.
      report.errors += lost
      report.kinds["lost", default: 0] += lost
      complain("mfr-load: \(lost) jobs were put and never came")
    }
  }
}

/// Which jobs are on their way. All connections share it: a job put on one is reserved on another.
final class JobLedger {
  let payload: Payload
  private var next: UInt64 = 1
  /// One byte a job: 0 not put yet, 1 put, 2 reserved, 3 deleted, 4 of a lost connection.
  private var states: [UInt8] = [0]
  private(set) var lastID: UInt64 = 0
  private(set) var outstanding = 0
  /// Every so manieth job that is put goes into another tube, and stays there, or is deleted there.
  private let keepEvery: UInt64?
  private var kept: [UInt64: UInt64] = [:]  // id: number
  private var keptEver = 0

  init(payload: Payload, keepEvery: UInt64? = nil) {
    self.payload = payload
    self.keepEvery = keepEvery
  }

  var keepsNext: Bool { keepEvery.map { next % $0 == 0 } ?? false }

  func keep(_ number: UInt64, id: UInt64) {
    outstanding -= 1
    states[Int(number)] = 3
    kept[id] = number
    keptEver += 1
  }

  /// Of three kept jobs one is deleted; it is no longer kept from the moment that this is asked.
  func toDelete() -> UInt64? {
    guard keptEver % 3 == 0, let id = kept.keys.first else { return nil }
    kept[id] = nil
    return id
  }

  /// What is in the tubes: the kept jobs in the order of their ids, and nothing else.
  func holdings() -> Ledger {
    var ledger = Ledger()
    ledger.expect("watch kept\r\n", "WATCHING 2\r\n")
    for (id, number) in kept.sorted(by: { $0.key < $1.key }) {
      ledger.expect(
        "reserve-with-timeout 0\r\n", "RESERVED \(id) \(payload.length)\r\n\(payload.text(number))\r\n")
    }
    ledger.expect("reserve-with-timeout 0\r\n", "TIMED_OUT\r\n")
    return ledger
  }

  func issue() -> UInt64 {
    defer { next += 1 }
    states.append(1)
    outstanding += 1
    return next
  }

  /// nil: this job may come now. Else: what is wrong with it.
  func reserve(_ number: UInt64) -> (Fault, String)? {
    guard number < next, number > 0 else { return (.wrong, "job \(number) was never put") }
    switch states[Int(number)] {
    case 1:
      states[Int(number)] = 2
      return nil
    case 4: return nil
    default: return (.doubled, "job \(number) came a second time")
    }
  }

  func delete(_ number: UInt64) {
    if states[Int(number)] == 2 { outstanding -= 1 }
    states[Int(number)] = 3
  }

  /// A connection was lost: its reserved job may come again, a put may or may not have been done.
  func forgive(_ number: UInt64) {
    if states[Int(number)] != 3 && states[Int(number)] != 4 { outstanding -= 1 }
    states[Int(number)] = 4
  }

  /// Every put gets an id of its own; ids of the connections come in any order but never twice.
  func inserted(_ id: UInt64) -> (Fault, String)? {
    guard id > lastID || id + 4096 > lastID else { return (.doubled, "id \(id) came after \(lastID)") }
    lastID = max(lastID, id)
    return nil
  }
}

/// put, reserve, delete, and again.
final class BeanstalkTalk: Conversation {
  private enum Stage { case put, useKept, keep, deleteKept, useDefault, reserve, delete }
  private let ledger: JobLedger
  private var stage = Stage.put
  private var job: UInt64 = 0
  private var reserved: UInt64?
  private var id: UInt64 = 0
  private var held: [UInt8] = []
  private var wanted = ByteQueue()

  init(_ ledger: JobLedger) { self.ledger = ledger }

  var isMidway: Bool { stage != .put }

  func ask(_ out: inout ByteQueue) -> Int {
    if stage == .put && ledger.keepsNext { stage = .useKept }
    switch stage {
    case .put, .keep:
      // After `use kept` another connection may have put the job that was to be kept: then it is this one's next.
      job = ledger.issue()
      out.append("put 10 0 600 ")
      out.append(decimal: UInt64(ledger.payload.length))
      out.append("\r\n")
      ledger.payload.append(job, to: &out)
      out.append("\r\n")
    case .useKept: out.append("use kept\r\n")
    case .useDefault: out.append("use default\r\n")
    case .deleteKept:
      out.append("delete ")
      out.append(decimal: id)
      out.append("\r\n")
    case .reserve: out.append("reserve\r\n")
    case .delete:
      out.append("delete ")
      out.append(decimal: id)
      out.append("\r\n")
    }
    return 1
  }

  func restart() {
    if let reserved { ledger.forgive(reserved) }
    if stage == .put || stage == .keep, job > 0 { ledger.forgive(job) }
    reserved = nil
    stage = .put
    held.removeAll(keepingCapacity: true)
  }

  func hear(_ bytes: UnsafeRawBufferPointer) -> Step {
    if held.isEmpty {
      let step = answer(bytes)
      if case .more = step { held.append(contentsOf: bytes) }
      return step
    }
    held.append(contentsOf: bytes)
    let all = held
    let step = all.withUnsafeBytes(answer)
    if case .more = step { return step }
    held.removeAll(keepingCapacity: true)
    return step
  }

  /// Looks at the whole answer so far.
  private func answer(_ bytes: UnsafeRawBufferPointer) -> Step {
    guard let base = bytes.baseAddress, let newline = memchr(base, 0x0A, bytes.count) else {
      return bytes.count < 512 ? .more : .failed(.malformed, "line without an end")
    }
    let line = base.distance(to: UnsafeRawPointer(newline)) + 1
    var words = Words(bytes, end: line)
    var end = line
    switch stage {
    case .put:
      guard words.take("INSERTED "), let id = words.number() else { return malformed(bytes) }
      if let (fault, why) = ledger.inserted(id) { return .failed(fault, why) }
      stage = .reserve
    case .useKept:
      guard words.take("USING kept") else { return malformed(bytes) }
      stage = .keep
    case .keep:
      guard words.take("INSERTED "), let id = words.number() else { return malformed(bytes) }
      if let (fault, why) = ledger.inserted(id) { return .failed(fault, why) }
      ledger.keep(job, id: id)
      job = 0
      if let old = ledger.toDelete() {
        self.id = old
        stage = .deleteKept
      } else {
        stage = .useDefault
      }
    case .deleteKept:
      guard words.take("DELETED") else { return malformed(bytes) }
      stage = .useDefault
    case .useDefault:
      guard words.take("USING default") else { return malformed(bytes) }
      stage = .put
    case .reserve:
      guard words.take("RESERVED "), let id = words.number(), words.take(" "), let size = words.number() else {
        return malformed(bytes)
      }
      guard size == UInt64(ledger.payload.length) else { return .failed(.wrong, "a job of \(size) bytes") }
      end = line + Int(size) + 2
      guard bytes.count >= end else { return .more }
      if let step = check(UnsafeRawBufferPointer(rebasing: bytes[line..<end])) { return step }
      self.id = id
      stage = .delete
    case .delete:
      guard words.take("DELETED") else { return malformed(bytes) }
      if let reserved { ledger.delete(reserved) }
      reserved = nil
      stage = .put
    }
    if bytes.count > end { return .failed(.doubled, "\(bytes.count - end) bytes after the answer") }
    return .answered(1)
  }

  private func check(_ body: UnsafeRawBufferPointer) -> Step? {
    var digits = Words(body, end: body.count)
    guard let number = digits.number() else { return .failed(.wrong, "a job without a number") }
    wanted.clear()
    ledger.payload.append(number, to: &wanted)
    wanted.append("\r\n")
    let right = wanted.all
    guard right.count == body.count, let a = right.baseAddress, let b = body.baseAddress,
      memcmp(a, b, right.count) == 0
    else { return .failed(.wrong, "job \(number) with a wrong payload") }
    if let (fault, why) = ledger.reserve(number) { return .failed(fault, why) }
    reserved = number
    return nil
  }

  private func malformed(_ bytes: UnsafeRawBufferPointer) -> Step {
    .failed(.status, "\(stage): '\(String(decoding: bytes.prefix(60).prefix { $0 >= 0x20 }, as: UTF8.self))'")
  }
}

/// Reads the words of a line.
struct Words {
  private let bytes: UnsafeRawBufferPointer
  private let end: Int
  private var at = 0

  init(_ bytes: UnsafeRawBufferPointer, end: Int) {
    self.bytes = bytes
    self.end = end
  }

  mutating func take(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard end - at >= count, let base = bytes.baseAddress, memcmp(base + at, text.utf8Start, count) == 0 else {
      return false
    }
    at += count
    return true
  }

  mutating func number() -> UInt64? {
    let start = at
    var value: UInt64 = 0
    while at < end, at - start < 19, (0x30...0x39).contains(bytes[at]) {
      value = value * 10 + UInt64(bytes[at] - 0x30)
      at += 1
    }
    return at > start ? value : nil
  }
}
