import ArgumentParser
import MFRControl

struct Inject: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Breaks one replica on purpose.",
    discussion: """
      poison       plants a poisoned page: the next touch is a real SIGBUS, as from broken memory
      poison-real  lets the kernel take a page for broken (root, CONFIG_MEMORY_FAILURE)
      segv         lets it touch an address where nothing is
      kill         kill -9
      hang         stops it, as SIGSTOP does
      spin         lets it compute for ever
      bitflip      flips one bit of its memory
      """)
  typealias Fault = ControlRequest.Injection.Fault

  @Argument(help: "Name or pid of a program.") var program: String
  @Option(help: "leader, follower, or the index that `status` shows.") var replica = "leader"
  @Option(help: "What happens to it.") var fault: Fault
  @Option(
    help:
      """
      Where: heap, stack, data, text, buffer (what replicas share to stay in step; buffer:header, :replicas, :slots or \
      :data for one part of it), or an address like 0x7f0000001000.
      """
  ) var at = "heap"
  @Option(help: "Chooses page and bit: the same seed, the same choice.") var seed: UInt64 = 1

  func validate() throws {
    _ = try injection()
  }

  private func injection() throws -> ControlRequest.Injection {
    guard let target = ControlRequest.Injection.Target(replica) else {
      throw ValidationError("--replica is leader, follower or an index from 0 to 15")
    }
    guard let place = ControlRequest.Injection.Place(at) else {
      throw ValidationError(
        "--at is heap, stack, data, text, buffer[:header|replicas|slots|data] or an address like 0x7f0000001000")
    }
    return ControlRequest.Injection(fault: fault, target: target, place: place, seed: seed)
  }

  func run() throws {
    let set = try Client.find(program)
    let answer = try Client.ask(set.pid, .inject(try injection()))
    let replica = "replica \(answer["replica"]?.integer ?? -1) (pid \(answer["pid"]?.integer ?? -1))"
    let role = answer["role"]?.string ?? ""
    let mapping = answer["mapping"]?.string ?? ""
    let place = "\(answer["address"]?.string ?? "")\(mapping.isEmpty ? "" : " (\(mapping))")"
    // It computes: it does so at its next call.
    let done = answer["planted"]?.bool ?? true
    switch fault {
    case .poison, .poisonReal:
      print("\(done ? "poisoned" : "will poison") the page of \(place) in \(role) \(replica)")
    case .bitflip:
      print("\(done ? "flipped" : "will flip") bit \(answer["bit"]?.integer ?? 0) of \(place) in \(role) \(replica)")
    case .segv: print("\(role) \(replica) touches \(place), where nothing is, at its next call")
    case .kill: print("killed \(role) \(replica)")
    case .hang: print("stopped \(role) \(replica)")
    case .spin: print("\(role) \(replica) computes for ever from its next call on")
    }
  }
}

extension ControlRequest.Injection.Fault: ExpressibleByArgument {}
