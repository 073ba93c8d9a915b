import MFRControl
import MFRHarness

/// A page of the machine's memory, as one process sees it.
struct Page: Equatable {
  var address: UInt64
  var physical: UInt64
}

/// A server under mfr-run at level 2 in the machine, and the client that checks its answers.
struct Server {
  let machine: VirtualMachine
  let name: String
  /// What is started, and what the client is told.
  let program: String
  let load: String

  func start() throws {
    try machine.ask(
      "(mfr-run --level 2 --name \(name) --events /run/events -- \(program) >/run/\(name).log 2>&1 &)")
    try machine.pump("status of \(name)") { try machine.run("mfr-ctl status \(name)").status == 0 }
    try awaitWhole()
  }

  func status() throws -> SetStatus {
    let output = try machine.ask("mfr-ctl status \(name) --json")
    guard let set = try JSON.parse(output.joined().utf8)["sets"]?.array?.first, let status = SetStatus(json: set) else {
      throw Failure("not a status: \(output.joined())")
    }
    return status
  }

  /// Waits for the events that change the status, and asks again after each.
  func awaitWhole() throws {
    while true {
      let seen = machine.said.count
      let status = try status()
      if status.isWhole { return }
      do {
        try machine.pump("whole set") { machine.said[seen...].contains { $0.hasPrefix("E ") } }
      } catch let failure as Failure {
        throw Failure("\(failure); \(status.line)")
      }
    }
  }

  /// Present pages of the mappings of a replica that have that name.
  func pages(_ pid: Int32, _ name: String) throws -> [Page] {
    try machine.ask("inside pages \(pid) '\(name)'").compactMap { line in
      let numbers = line.split(separator: " ").compactMap { UInt64($0, radix: 16) }
      return numbers.count == 2 ? Page(address: numbers[0], physical: numbers[1]) : nil
    }
  }

  func symbol(_ name: String, in pid: Int32) throws -> UInt64 {
    guard let text = try machine.ask("inside symbol \(pid) \(name)").first, let address = UInt64(text, radix: 16) else {
      throw Failure("no address of \(name)")
    }
    return address
  }

  /// Lets a replica make a system call, behind its back.
  func call(_ pid: Int32, _ number: Int, _ arguments: UInt64...) throws {
    let list = arguments.map { "0x" + String($0, radix: 16) }.joined(separator: " ")
    let output = try machine.ask("inside call \(pid) \(number) \(list)")
    guard output.first == "0" else { throw Failure("system call \(number) in \(pid): \(output.first ?? "")") }
  }

  /// When replicas are told of broken memory: PR_MCE_KILL. Early is what the shim asks for.
  func tell(early: Bool) throws {
    for replica in try status().replicas { try call(replica.pid, 157, 33, 1, early ? 1 : 0) }
  }

  // MARK: the client

  func startClient() throws {
    try machine.ask(
      "((inside behind mfr-load \(load) --progress --json --seconds 3600 >/run/client.out 2>>/run/client.err &"
        + " echo $! >/run/client.pid; wait $!; echo ended $? >>/run/client.err) >/dev/null 2>&1 &)")
    try awaitAnswers()
  }

  /// Waits for a report of the client that it has had answers since now.
  func awaitAnswers() throws {
    let seen = machine.said.count
    var reports = 0
    try machine.pump("answers for the client") {
      if let end = machine.said[seen...].first(where: { $0.hasPrefix("C ended") }) {
        throw Failure("the client: \(end)")
      }
      // The first report may tell of answers that were there before.
      reports = machine.said[seen...].count { $0.hasPrefix("C ") && !$0.contains(" 0 per second") }
      return reports >= 2
    }
  }

  /// Ends the client; anything that it missed, or had twice, or did not understand, is an error.
  func stopClient() throws {
    let seen = machine.said.count
    try machine.ask("kill -TERM $(cat /run/client.pid)")
    var ending: String?
    try machine.pump("end of the client") {
      ending = machine.said[seen...].first { $0.hasPrefix("C ended ") }
      return ending != nil
    }
    let report = try machine.ask("cat /run/client.out").joined()
    guard ending == "C ended 0", let requests = try JSON.parse(report.utf8)["requests"]?.integer, requests > 0 else {
      let complaints = machine.said.filter { $0.hasPrefix("C mfr-load") }.suffix(3).joined(separator: "; ")
      throw Failure("the client \(ending ?? ""): \(report) \(complaints)")
    }
  }
}
