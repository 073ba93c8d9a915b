import ArgumentParser
import Dispatch
import Glibc
import MFRControl
import MFRHarness
import Synchronization

@main
struct MachineCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mfr-machine-check",
    abstract: "Breaks memory under a protected server in a virtual machine, as hardware does.",
    discussion: "Scripts/machine-check makes what it needs. The last line says how many passed and failed.")

  @Option(help: "The kernel to boot: an unpacked vmlinux.") var kernel: String
  @Option(help: "The initramfs: its init prepares everything and then obeys /dev/ttyS1.") var initramfs: String
  @Option(help: "Only scenarios whose name contains this.") var only = ""
  @Option(help: "How many machines work at the same time. Each takes a processor and 1 GiB.") var machines = 2
  @Flag(help: "List the scenarios.") var list = false
  @Flag(help: "Show what the kernel and MFR say.") var verbose = false

  func run() throws {
    let chosen = Scenario.all.filter { only.isEmpty || $0.name.contains(only) }
    if list {
      for scenario in chosen { say(scenario.name) }
      return
    }
    guard !chosen.isEmpty else { throw ValidationError("no scenario has '\(only)' in its name") }
    guard machines > 0 else { throw ValidationError("--machines must be 1 or more") }
    Interruption.hold()
    let folder = try File.temporaryDirectory("mfr-machine-check-")
    defer { File.removeTree(folder) }

    let queue = Queue(chosen)
    DispatchQueue.concurrentPerform(iterations: min(machines, chosen.count)) { number in
      let files = VirtualMachine.Files(kernel: kernel, initramfs: initramfs, folder: "\(folder)/\(number)")
      work(queue, files)
    }
    let (passed, failed) = queue.result
    say("\(passed) passed, \(failed) failed")
    if failed > 0 { throw ExitCode.failure }
  }

  /// One machine after the other, each until something goes wrong on it, as long as there are scenarios.
  private func work(_ queue: Queue, _ files: VirtualMachine.Files) {
    var server: Server?
    var machine: VirtualMachine?
    while Interruption.pending == nil, let scenario = queue.next() {
      let begun = Instant.now
      do {
        // A machine on which something went wrong tells nothing about the next scenario.
        if server == nil {
          try File.makeDirectory(files.folder)
          machine = try VirtualMachine(files)
        }
        guard let machine else { continue }
        let current = try server ?? boot(machine)
        server = current
        let told = try run(scenario, on: current)
        queue.passed("ok    \(scenario.name)  (\(shown(.now - begun)))" + told)
      } catch {
        queue.failed("FAIL  \(scenario.name): \(error)" + (machine.map { explanation($0) } ?? ""))
        // Without a server it is not the scenario's fault.
        if server == nil { break }
        server = nil
        machine = nil
      }
    }
  }

  private func boot(_ machine: VirtualMachine) throws -> Server {
    let begun = Instant.now
    try machine.awaitStart()
    let server = Server(
      machine: machine, name: "web", program: "/usr/sbin/lighttpd -D -f /etc/lighttpd.conf",
      load: "http --port 8080 --connections 2 --path /page=/srv/page --path /picture=/srv/picture")
    try server.start()
    say("booted and protected after \(shown(.now - begun))")
    return server
  }

  /// Returns what there is to say about it, if that is wanted.
  private func run(_ scenario: Scenario, on server: Server) throws -> String {
    let machine = server.machine
    let before = try server.status()
    let checks = try machine.machineChecks()
    let kernel = machine.kernel.count
    let told = machine.said.count
    if scenario.late { try server.tell(early: false) }
    try server.startClient()
    let outcome = try scenario.strike(server)
    if outcome.oneStays {
      try machine.pump("news of the buffer") {
        machine.events(after: told).contains { $0["event"]?.string == "buffer" }
      }
      try server.awaitWhole()
      let after = try server.status()
      guard Set(before.replicas.map(\.pid)).intersection(after.replicas.map(\.pid)).count == 1 else {
        throw Failure("it is not one replica that has stayed: \(before.line) - \(after.line)")
      }
    } else if let coordinator = outcome.coordinator {
      try machine.pump("another coordinator than \(coordinator)") {
        guard let now = try server.coordinator(), now != coordinator else { return false }
        return try machine.run("mfr-ctl status \(server.name)").status == 0
      }
      let after = try server.status()
      guard after.lost == before.lost, after.replicas.map(\.pid) == before.replicas.map(\.pid) else {
        throw Failure("replicas were lost with the coordinator: \(before.line) - \(after.line)")
      }
    } else {
      try checkLosses(outcome, server, told)
    }
    try server.awaitAnswers()
    try server.stopClient()
    guard try (machine.machineChecks() > checks) == outcome.machineCheck else {
      throw Failure("machine checks before \(checks), after \(try machine.machineChecks())")
    }
    for words in outcome.kernelSays {
      guard machine.kernel[kernel...].contains(where: { line in words.allSatisfy(line.contains) }) else {
        throw Failure("the kernel has not said '\(words.joined(separator: " … "))'")
      }
    }
    let after = try server.status()
    guard after.pid == before.pid, after.isWhole else { throw Failure("the set is not what it was: \(after.line)") }
    if scenario.late { try server.tell(early: true) }
    return verbose ? explanation(machine, from: kernel, told) : ""
  }

  private func checkLosses(_ outcome: Scenario.Outcome, _ server: Server, _ told: Int) throws {
    func losses() -> [JSON] {
      server.machine.events(after: told).filter { $0["event"]?.string == "lost" }
    }
    var lost: [JSON] = []
    do {
      try server.machine.pump("loss of \(outcome.count) replicas (\(outcome.lost))") {
        lost = losses()
        return lost.count >= outcome.count
      }
    } catch let failure as Failure {
      let page = outcome.broken
      let now = try outcome.lost.map { pid in
        try server.machine.ask("grep -n . /proc/\(pid)/maps | grep -E 'heap|stack'; inside pages \(pid) '[stack]'")
          .joined(separator: "; ")
      }
      throw Failure(
        "\(failure); \(String(page.address, radix: 16)) at \(String(page.physical, radix: 16)); \(now); \(try server.status().line)"
      )
    }
    try server.awaitWhole()
    lost = losses()
    let pids = lost.compactMap { $0["pid"]?.integer.map { Int32(truncatingIfNeeded: $0) } }
    let most = outcome.count + (outcome.oneMore ? 1 : 0)
    guard outcome.lost.allSatisfy(pids.contains), (outcome.count...most).contains(pids.count) else {
      throw Failure("lost \(pids), not \(outcome.lost) (\(outcome.count) in all)")
    }
    // Whoever was spared has the page by itself.
    for replica in try server.status().replicas where outcome.oneMore {
      guard try !server.pages(replica.pid, "[heap]").contains(where: { $0.physical == outcome.broken.physical }) else {
        throw Failure("replica \(replica.pid) has the broken page frame")
      }
    }
    guard lost.contains(where: { $0["cause"]?["kind"]?.string == "poison" }) else {
      throw Failure("nothing was lost by broken memory: \(lost.map(\.text))")
    }
  }

  /// What the kernel, the coordinator and the client have said: lines, each with a newline before it.
  private func explanation(_ machine: VirtualMachine, from kernel: Int? = nil, _ told: Int? = nil) -> String {
    // What the kernel says of its own start is of no interest.
    let start = machine.kernel.lastIndex { $0.contains("Run /init") } ?? 0
    let told = told ?? max(0, machine.said.count - 100)
    let lines =
      machine.kernel[max(start, kernel ?? machine.kernel.count - 25)...].map { "kernel: \($0)" }
      + machine.said[told...].filter { $0.hasPrefix("E") || $0.contains("errors") == false }
      + machine.said[told...].suffix(3)
    return lines.map { "\n      \($0)" }.joined()
  }
}

/// The scenarios that are left to do, and how the others ended. Each machine takes the next one when it is free.
private final class Queue: Sendable {
  private struct State {
    var left: ArraySlice<Scenario>
    var passed = 0
    var failed = 0
  }
  private let state: Mutex<State>

  init(_ scenarios: [Scenario]) { state = Mutex(State(left: scenarios[...])) }

  func next() -> Scenario? { state.withLock { $0.left.popFirst() } }

  func passed(_ text: String) {
    state.withLock {
      $0.passed += 1
      say(text)
    }
  }

  func failed(_ text: String) {
    state.withLock {
      $0.failed += 1
      say(text)
    }
  }

  /// What nobody came to do has failed, too: no machine was left.
  var result: (passed: Int, failed: Int) {
    state.withLock { state in
      for scenario in state.left {
        say("FAIL  \(scenario.name): not begun")
        state.failed += 1
      }
      return (state.passed, state.failed)
    }
  }
}

extension VirtualMachine {
  /// What the coordinator has told since the line of that number.
  func events(after line: Int) -> [JSON] {
    said[line...].compactMap { $0.hasPrefix("E ") ? try? JSON.parse($0.dropFirst(2).utf8) : nil }
  }

  /// How many machine checks the kernel has had.
  func machineChecks() throws -> Int {
    let fields = try ask("grep MCE: /proc/interrupts").joined().split(separator: " ")
    guard fields.count > 1, let count = Int(fields[1]) else {
      throw Failure("the kernel does not count machine checks")
    }
    return count
  }
}
