import ArgumentParser
import MFRControl

struct Failover: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Makes a follower the leader.")
  @Argument(help: "Name or pid of a program.") var program: String

  func run() throws {
    let set = try Client.find(program)
    let answer = try Client.ask(set.pid, .failover)
    print(
      "\(set.program) (pid \(set.pid)): replica \(answer["leader"]?.integer ?? -1)"
        + " (pid \(answer["pid"]?.integer ?? -1)) leads")
  }
}
