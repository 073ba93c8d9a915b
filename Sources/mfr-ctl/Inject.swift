import ArgumentParser
import MFRControl

struct Inject: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Breaks one replica on purpose.",
    discussion: """
      poison   plants a poisoned page: the next touch is a real SIGBUS, as from broken memory
      segv     lets it touch an address where nothing is
      kill     kill -9
      bitflip  flips one bit of its memory
      """)
  enum Fault: String, CaseIterable, ExpressibleByArgument { case poison, segv, kill, bitflip }

  @Argument(help: "Name or pid of a program.") var program: String
  @Option(help: "leader, follower, or the index that `status` shows.") var replica = "leader"
  @Option(help: "What happens to it.") var fault: Fault
  @Option(help: "Where: heap, stack, data, or an address like 0x7f0000001000.") var at = "heap"
  @Option(help: "Chooses page and bit: the same seed, the same choice.") var seed: UInt64 = 1

  func validate() throws {
    _ = try injection()
  }

  private func injection() throws -> ControlRequest.Injection {
    guard let target = ControlRequest.Injection.Target(replica) else {
      throw ValidationError("--replica is leader, follower or an index from 0 to 15")
    }
    guard let place = ControlRequest.Injection.Place(at) else {
      throw ValidationError("--at is heap, stack, data or an address like 0x7f0000001000")
    }
    guard let kind = ControlRequest.Injection.Fault(rawValue: fault.rawValue) else {
      throw ValidationError("--fault is poison, segv, kill or bitflip")
    }
    return ControlRequest.Injection(fault: kind, target: target, place: place, seed: seed)
  }

  func run() throws {
    let set = try Client.find(program)
    let answer = try Client.ask(set.pid, .inject(try injection()))
    let replica = "replica \(answer["replica"]?.integer ?? -1) (pid \(answer["pid"]?.integer ?? -1))"
    let place = answer["address"]?.string ?? ""
    switch fault {
    case .poison: print("poisoned the page of \(place) in \(replica)")
    case .bitflip: print("flipped bit \(answer["bit"]?.integer ?? 0) of \(place) in \(replica)")
    case .segv: print("\(replica) will touch an address where nothing is")
    case .kill: print("killed \(replica)")
    }
  }
}
