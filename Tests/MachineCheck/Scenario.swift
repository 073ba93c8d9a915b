import CMFRABI
import MFRControl
import MFRHarness

/// One way to break memory, while a client is served.
struct Scenario: Sendable {
  /// What must come of it.
  struct Outcome {
    /// Replicas that must be lost.
    var lost: [Int32]
    /// How many are lost in all; more than `lost` when a replica is hit that nobody knew before.
    var count: Int
    /// One more may be lost, or not.
    var oneMore: Bool
    /// The page was one of the buffer: one replica stays, whoever leads at that moment, and all others are replaced.
    var oneStays: Bool
    /// The page was this coordinator's: it is replaced, and no replica is lost.
    var coordinator: Int32?
    /// Whether there was a machine check; otherwise the kernel was only told that there was.
    var machineCheck: Bool
    /// The page that was broken.
    var broken: Page
    /// What the kernel must have said, each in one line.
    var kernelSays: [[String]]

    init(
      lost: [Int32] = [], count: Int? = nil, oneMore: Bool = false, oneStays: Bool = false,
      coordinator: Int32? = nil, broken page: Page, machineCheck: Bool = false, kernelSays: [[String]] = []
    ) {
      self.lost = lost
      self.count = count ?? lost.count
      self.oneMore = oneMore
      self.machineCheck = machineCheck
      self.oneStays = oneStays
      self.coordinator = coordinator
      broken = page
      let frame = "0x" + String(page.physical >> 12, radix: 16)
      self.kernelSays = kernelSays + [["Memory failure: \(frame):", "recovery action", "Recovered"]]
    }
  }

  let name: String
  /// The replicas are not told of a broken page before they touch it.
  var late = false
  let strike: @Sendable (Server) throws -> Outcome
}

enum Victim: String, CaseIterable {
  case leader, follower
}

extension Scenario {
  static let all: [Scenario] =
    Victim.allCases.flatMap(ofOwnMemory) + [insideCall] + duringRespawn + ofBuffer + ofCoordinator

  private static func ofOwnMemory(_ victim: Victim) -> [Scenario] {
    [
      Scenario(name: "MADV_HWPOISON, page of a \(victim)") { server in
        let pid = try server.replica(victim)
        let page = try server.coldPage(pid)
        try server.call(pid, 28, page.address, 4096, 100)
        return Outcome(lost: [pid], broken: page, kernelSays: [["Injecting memory failure for pfn"]])
      },
      Scenario(name: "page frame of a \(victim) goes bad, told early") { server in
        let pid = try server.replica(victim)
        let page = try server.coldPage(pid)
        try server.corrupt(page)
        return Outcome(lost: [pid], broken: page)
      },
      Scenario(name: "page frame of a \(victim) goes bad, told late", late: true) { server in
        let (pid, page) = try server.pageInUse(by: victim)
        try server.corrupt(page)
        return Outcome(lost: [pid], broken: page)
      },
      Scenario(name: "machine check, found by the scrubber, page of a \(victim)") { server in
        let pid = try server.replica(victim)
        let page = try server.coldPage(pid)
        try server.machine.monitor().inject(.found, at: page.physical)
        return Outcome(lost: [pid], broken: page, machineCheck: true)
      },
      Scenario(name: "machine check, consumed by the program, page of a \(victim)") { server in
        let (pid, page) = try server.pageInUse(by: victim) { try $1.inject(.consumed, at: $0.physical) }
        return Outcome(
          lost: [pid], broken: page, machineCheck: true, kernelSays: [["mce: Uncorrected hardware memory error"]])
      },
    ]
  }

  /// The kernel reads the page for the program: the system call fails, and the replica is told.
  private static let insideCall = Scenario(name: "machine check, consumed inside a system call of the leader") {
    server in
    let (pid, page) = try server.pageInCopy { try $1.inject(.consumed, at: $0.physical) }
    return Outcome(
      lost: [pid], broken: page, machineCheck: true, kernelSays: [["Kernel accessed poison in user space"]])
  }

  /// What all of them share to stay in step.
  private static var ofBuffer: [Scenario] {
    let parts = [
      ("header", 0), ("replicas", UInt64(MFR_OFF_REPLICAS_VALUE)), ("slots", UInt64(MFR_OFF_SLOTS_VALUE)),
      ("data", UInt64(MFR_OFF_DATA_VALUE)),
    ]
    return parts.map { part, offset in
      Scenario(name: "machine check, found by the scrubber, page of the buffer: \(part)") { server in
        let page = try server.bufferPage(server.replica(.leader), offset)
        try server.machine.monitor().inject(.found, at: page.physical)
        return Outcome(oneStays: true, broken: page, machineCheck: true)
      }
    } + [
      Scenario(name: "machine check, consumed by the leader, page of the buffer: slot in use") { server in
        let page = try server.slotInUse { try $1.inject(.consumed, at: $0.physical) }
        return Outcome(
          oneStays: true, broken: page, machineCheck: true, kernelSays: [["mce: Uncorrected hardware memory error"]])
      }
    ]
      + parts.map { part, offset in
        // Whoever touches it first: a replica, the anchor or the coordinator.
        Scenario(name: "page frame goes bad, told late, page of the buffer: \(part)", late: true) { server in
          let leader = try server.replica(.leader)
          let page = try server.bufferPage(leader, offset)
          try server.corrupt(page)
          return Outcome(oneStays: true, broken: page)
        }
      }
  }

  private static let ofCoordinator = [
    Scenario(name: "page frame of the coordinator goes bad, told late") { server in
      let (pid, page) = try server.stackOfCoordinator()
      try server.corrupt(page)
      return Outcome(coordinator: pid, broken: page)
    },
    Scenario(name: "machine check, consumed by the coordinator") { server in
      let (pid, page) = try server.stackOfCoordinator { try $1.inject(.consumed, at: $0.physical) }
      return Outcome(
        coordinator: pid, broken: page, machineCheck: true, kernelSays: [["mce: Uncorrected hardware memory error"]])
    },
  ]

  /// A page that the joiner has not yet un-shared is its donor's, too: both are hit, the leader stays.
  private static let duringRespawn = [
    Scenario(name: "machine check, consumed by a joiner, page shared with its donor") { server in
      let (killed, donor, page) = try server.pageOfJoiner(.consumed)
      return Outcome(
        lost: [killed, donor], count: 3, broken: page, machineCheck: true,
        kernelSays: [["mce: Uncorrected hardware memory error"]])
    },
    // What the scrubber has found the kernel tells a while later: by then the joiner may have its own copy.
    Scenario(name: "machine check, found by the scrubber, page shared by donor and joiner") { server in
      let (killed, donor, page) = try server.pageOfJoiner(.found)
      return Outcome(lost: [killed, donor], oneMore: true, broken: page, machineCheck: true)
    },
  ]
}

extension Server {
  static let bufferName = "memfd:mfr (deleted)"

  /// The page of the buffer at an offset, or the first after it that is present.
  func bufferPage(_ pid: Int32, _ offset: UInt64) throws -> Page {
    let pages = try pages(pid, Self.bufferName)
    // Its first page is always there.
    guard let start = pages.first?.address, let page = pages.first(where: { $0.address >= start + offset }) else {
      throw Failure("replica \(pid) has no such page of the buffer")
    }
    return page
  }

  func replica(_ victim: Victim) throws -> Int32 {
    let status = try status()
    guard let found = status.replicas.first(where: { $0.role == victim.rawValue }) else {
      throw Failure("no \(victim): \(status.line)")
    }
    return found.pid
  }

  func coordinator() throws -> Int32? {
    try machine.run("pidof mfr-coordinator").output.first.flatMap { Int32($0) }
  }

  /// A page of its stack that the coordinator uses, and the coordinator. With `then`: while it uses it, and the machine
  /// stands still.
  func stackOfCoordinator(then: ((Page, Monitor) throws -> Void)? = nil) throws -> (pid: Int32, page: Page) {
    guard let pid = try coordinator() else { throw Failure("no coordinator") }
    // The one that it comes back to when it has slept.
    var pointer: UInt64?
    try machine.pump("coordinator \(pid) asleep") {
      // proc_pid_syscall(5): … stack pointer, program counter; or "running".
      let fields = try machine.ask("cat /proc/\(pid)/syscall").joined().split(separator: " ")
      pointer = fields.count < 3 ? nil : UInt64(fields[fields.count - 2].dropFirst(2), radix: 16)
      return pointer != nil
    }
    guard let pointer, let page = try pages(pid, "[stack]").first(where: { $0.address == pointer & ~4095 }) else {
      throw Failure("coordinator \(pid) has no page of its stack at \(String(pointer ?? 0, radix: 16))")
    }
    guard let then else { return (pid, page) }
    let monitor = try machine.monitor()
    let debugger = try machine.debugger()
    try debugger.set(.access(page.address, bytes: 4096))
    var met = false
    for _ in 0..<200 where !met {
      guard try debugger.resume() != nil else { break }
      met = try debugger.registers().ring == 3 && monitor.physical(page.address) == page.physical
    }
    if met { try then(page, monitor) }
    try debugger.finish()
    guard met else { throw Failure("the coordinator was not met using its stack") }
    return (pid, page)
  }

  /// Kills a follower, and breaks a page that the other one and the joiner have in common, just before the joiner makes
  /// it its own.
  func pageOfJoiner(_ check: Monitor.MachineCheck) throws -> (killed: Int32, donor: Int32, page: Page) {
    let status = try status()
    let followers = status.replicas.filter { $0.role == "follower" }
    guard followers.count == 2 else { throw Failure("not two followers: \(status.line)") }
    let (killed, donor) = (followers[0].pid, followers[1].pid)
    let donorPages = try pages(donor, "[heap]")
    let populate = Debugger.Breaker.execution(try symbol("populate", in: donor))
    let monitor = try machine.monitor()
    let debugger = try machine.debugger()
    try debugger.set(populate)
    try machine.send("kill -KILL \(killed)")
    var found: Page?
    for _ in 0..<500 where found == nil {
      guard try debugger.resume() != nil else { break }
      // populate(address, pages)
      let call = try debugger.registers()
      found = try donorPages.first { page in
        try (call.rdi..<call.rdi &+ call.rsi &* 4096).contains(page.address)
          && monitor.physical(page.address) == page.physical
      }
    }
    if let found { try monitor.inject(check, at: found.physical) }
    try debugger.finish()
    guard let found else { throw Failure("no joiner was met at a page that it shares with its donor") }
    return (killed, donor, found)
  }

  /// Breaks a page frame from outside.
  func corrupt(_ page: Page) throws {
    try machine.ask("echo 0x\(String(page.physical >> 12, radix: 16)) >/sys/kernel/debug/hwpoison/corrupt-pfn")
  }

  /// A page of a replica's own that is not in use all the time.
  func coldPage(_ pid: Int32) throws -> Page {
    let pages = try pages(pid, "[heap]")
    guard !pages.isEmpty else { throw Failure("replica \(pid) has no heap") }
    return pages[pages.count / 2]
  }

  /// A page that the machine's processor is about to touch, and whose it is. The replicas have the same addresses: the
  /// page frame tells one from the other.
  private func owner(of address: UInt64, _ pages: [Int32: [Page]], _ monitor: Monitor) throws -> (Int32, Page)? {
    guard let frame = try monitor.physical(address & ~4095) else { return nil }
    let page = Page(address: address & ~4095, physical: frame)
    return pages.first { $0.value.contains(page) }.map { ($0.key, page) }
  }

  private func pagesOfAll(_ name: String) throws -> [Int32: [Page]] {
    var pages: [Int32: [Page]] = [:]
    for replica in try status().replicas { pages[replica.pid] = try self.pages(replica.pid, name) }
    return pages
  }

  /// A page of its own that a leader or follower is just using. The machine stands still while `then` runs.
  func pageInUse(by victim: Victim, then: (Page, Monitor) throws -> Void = { _, _ in }) throws -> (Int32, Page) {
    let pages = try pagesOfAll("[stack]")
    guard let some = pages.first, let first = some.value.first, let last = some.value.last else {
      throw Failure("no replica has a stack")
    }
    // What the shim does there may be a rare thing, and is a frequent one while the debugger slows everything down.
    let shim = try self.pages(some.key, "libmfrshim.so").map(\.address)
    guard let shimStart = shim.min(), let shimLast = shim.max() else { throw Failure("no replica has the shim") }
    // All replicas use their stacks all the time. First comes a place that only this kind of replica comes to.
    let role = try Debugger.Breaker.execution(
      symbol(victim == .leader ? "mfr_lane_publish" : "mfr_lane_pass", in: some.key))
    let stack = Debugger.Breaker.access(first.address, bytes: last.address + 4096 - first.address)
    let monitor = try machine.monitor()
    let debugger = try machine.debugger()
    var found: (Int32, Page)?
    var uses: [UInt64: Int] = [:]  // by page frame
    for _ in 0..<60 where found == nil {
      try debugger.set(role)
      guard try debugger.resume() != nil else { break }
      let user = try owner(of: last.address, pages, monitor)
      try debugger.clear(role)
      guard let (pid, _) = user else { continue }
      try debugger.set(stack)
      for _ in 0..<20 {
        guard let touched = try debugger.resume()?.touched else { break }
        let registers = try debugger.registers()
        guard let (toucher, page) = try owner(of: touched, pages, monitor), toucher == pid, registers.ring == 3,
          !(shimStart..<shimLast &+ 4096).contains(registers.rip)
        else { continue }
        // A page that is used now and then is not enough: this one is used again and again.
        uses[page.physical, default: 0] += 1
        if uses[page.physical] == 3 { found = (pid, page) }
        break
      }
      if found == nil { try debugger.clear(stack) }
    }
    if let found { try then(found.1, monitor) }
    try debugger.finish()
    guard let found else { throw Failure("no \(victim) was met that uses its stack") }
    return found
  }

  /// A page of the leader's own from which the kernel is just copying for its program.
  func pageInCopy(then: (Page, Monitor) throws -> Void) throws -> (Int32, Page) {
    let pages = try pagesOfAll("[heap]")
    guard let some = pages.keys.first else { throw Failure("no replica") }
    let gate = try Debugger.Breaker.execution(symbol("mfr_gate", in: some))
    let monitor = try machine.monitor()
    let debugger = try machine.debugger()
    var found: (Int32, Page)?
    try debugger.set(gate)
    for _ in 0..<2000 where found == nil {
      guard try debugger.resume() != nil else { break }
      let call = try debugger.registers()
      // writev(descriptor, vector, count): followers make none.
      guard call.rdi == 20 else { continue }
      let base = try debugger.memory(call.rdx, 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard let (pid, page) = try owner(of: base, pages, monitor) else { continue }
      try debugger.clear(gate)
      let watch = Debugger.Breaker.access(page.address, bytes: 4096)
      try debugger.set(watch)
      // A few bytes are copied otherwise: then it is another call's turn.
      for _ in 0..<50 where found == nil {
        guard try debugger.resume() != nil else { break }
        let now = try debugger.registers()
        // rep movsb: of all the kernel's code, copies from user memory survive bad data.
        if now.ring == 0, now.rsi & ~4095 == page.address, try debugger.memory(now.rip, 2) == [0xf3, 0xa4] {
          found = (pid, page)
        }
      }
      guard found == nil else { break }
      try debugger.clear(watch)
      try debugger.set(gate)
    }
    if let found { try then(found.1, monitor) }
    try debugger.finish()
    guard let found else { throw Failure("the kernel was not met copying from the heap of a leader") }
    return found
  }

  /// The page of the slot that a leader is just publishing.
  func slotInUse(then: (Page, Monitor) throws -> Void) throws -> Page {
    let pages = try pagesOfAll("[stack]")
    guard let some = pages.first, let last = some.value.last else { throw Failure("no replica has a stack") }
    let publish = try Debugger.Breaker.execution(symbol("mfr_lane_publish", in: some.key))
    let monitor = try machine.monitor()
    let debugger = try machine.debugger()
    try debugger.set(publish)
    var found: Page?
    if try debugger.resume() != nil, try owner(of: last.address, pages, monitor) != nil {
      // mfr_lane_publish(turn, …): the slot's address is the turn's first word.
      let turn = try debugger.memory(debugger.registers().rdi, 8)
      let slot = turn.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } & ~4095
      try debugger.clear(publish)
      try debugger.set(.access(slot, bytes: 4096))
      if try debugger.resume() != nil, try debugger.registers().ring == 3, let frame = try monitor.physical(slot) {
        found = Page(address: slot, physical: frame)
      }
    }
    if let found { try then(found, monitor) }
    try debugger.finish()
    guard let found else { throw Failure("no leader was met that publishes a slot") }
    return found
  }
}
