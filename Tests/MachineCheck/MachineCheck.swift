import ArgumentParser
import Glibc
import MFRControl
import MFRHarness

@main
struct MachineCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mfr-machine-check",
    abstract: "Breaks memory under a protected server in a virtual machine, as hardware does.",
    discussion: "Scripts/machine-check makes what it needs. The last line says how many passed and failed.")

  @Option(help: "The kernel to boot: an unpacked vmlinux.") var kernel: String
  @Option(help: "The initramfs: its init prepares everything and then obeys /dev/ttyS1.") var initramfs: String
  @Option(help: "Only scenarios whose name contains this.") var only = ""
  @Flag(help: "List the scenarios.") var list = false
  @Flag(help: "Show what the kernel and MFR say.") var verbose = false

  func run() throws {
    let chosen = Scenario.all.filter { only.isEmpty || $0.name.contains(only) }
    if list {
      for scenario in chosen { say(scenario.name) }
      return
    }
    guard !chosen.isEmpty else { throw ValidationError("no scenario has '\(only)' in its name") }
    Interruption.hold()
    let folder = try File.temporaryDirectory("mfr-machine-check-")
    defer { File.removeTree(folder) }
    let files = VirtualMachine.Files(kernel: kernel, initramfs: initramfs, folder: folder)

    var passed = 0
    var failed = 0
    var server: Server?
    var machine: VirtualMachine?
    for scenario in chosen {
      let begun = Instant.now
      do {
        // A machine on which something went wrong tells nothing about the next scenario.
        if server == nil { machine = try VirtualMachine(files) }
        guard let machine else { continue }
        let current = try server ?? boot(machine)
        server = current
        try run(scenario, on: current)
        passed += 1
        say("ok    \(scenario.name)  (\(shown(.now - begun)))")
      } catch {
        failed += 1
        say("FAIL  \(scenario.name): \(error)")
        if let machine { explain(machine) }
        // Without a server it is not the scenario's fault.
        if server == nil || Interruption.pending != nil { break }
        server = nil
        machine = nil
      }
    }
    say("\(passed) passed, \(failed) failed")
    if failed > 0 { throw ExitCode.failure }
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

  private func run(_ scenario: Scenario, on server: Server) throws {
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
    if verbose { explain(machine, from: kernel, told) }
  }

  private func checkLosses(_ outcome: Scenario.Outcome, _ server: Server, _ told: Int) throws {
    var lost: [JSON] = []
    try server.machine.pump("loss of \(outcome.count) replicas (\(outcome.lost))") {
      lost = server.machine.events(after: told).filter { $0["event"]?.string == "lost" }
      return lost.count >= outcome.count
    }
    try server.awaitWhole()
    let pids = lost.compactMap { $0["pid"]?.integer.map { Int32(truncatingIfNeeded: $0) } }
    guard outcome.lost.allSatisfy(pids.contains), pids.count == outcome.count else {
      throw Failure("lost \(pids), not \(outcome.lost) (\(outcome.count) in all)")
    }
    guard lost.contains(where: { $0["cause"]?["kind"]?.string == "poison" }) else {
      throw Failure("nothing was lost by broken memory: \(lost.map(\.text))")
    }
  }

  private func explain(_ machine: VirtualMachine, from kernel: Int? = nil, _ told: Int? = nil) {
    // What the kernel says of its own start is of no interest.
    let start = machine.kernel.lastIndex { $0.contains("Run /init") } ?? 0
    for line in machine.kernel[max(start, kernel ?? machine.kernel.count - 25)...] { say("      kernel: \(line)") }
    let told = told ?? max(0, machine.said.count - 100)
    for line in machine.said[told...] where line.hasPrefix("E") || line.contains("errors") == false {
      say("      \(line)")
    }
    for line in machine.said[told...].suffix(3) { say("      \(line)") }
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
