import CMFRABI
import Glibc
import MFRCore
import MFRRuntime

/// Hidden: the coordinator of one replica set. The anchor is the only one that starts it.
enum CoordinatorCommand {
  static func run(_ arguments: [String]) -> Never {
    guard let settings = CoordinatorSettings(arguments: arguments) else { exit(64) }
    do {
      try Coordinator.serve(settings)
    } catch {
      _ = "mfr-coordinator: \(error)\n".withCString { write(2, $0, strlen($0)) }
      exit(125)
    }
  }
}
