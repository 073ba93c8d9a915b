import ArgumentParser
import MFRControl

struct SetLevel: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Changes how many duplicates a program has.")
  @Argument(help: "Name or pid of a program.") var program: String
  @Argument(help: "Duplicates beside the leader, 0 to 15.") var level: UInt32

  func validate() throws {
    if level > 15 { throw ValidationError("the level is a number from 0 to 15") }
  }

  func run() throws {
    let set = try Client.find(program)
    _ = try Client.ask(set.pid, .setLevel(level))
    print("\(set.program) (pid \(set.pid)): level \(set.level) -> \(level)")
  }
}
