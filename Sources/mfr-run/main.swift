import CMFRABI
import Glibc
import MFRCore
import MFRRuntime

let version = "0.1.0"

// The coordinator is this executable once more, under a name that no user's command line gives it.
if CommandLine.arguments.first == "mfr-coordinator" {
  CoordinatorCommand.run(Array(CommandLine.arguments.dropFirst()))
}

// A process of the guest that has become the anchor of a set of its own.
if let adopted = getenv("MFR_ADOPT").flatMap({ Int32(String(cString: $0)) }) {
  Adoption.run(descriptor: adopted)
}

do {
  switch try RunOptions.parse(
    Array(CommandLine.arguments.dropFirst()), environment: { getenv($0).map { String(cString: $0) } })
  {
  case .help: print(RunOptions.help)
  case .version: print("mfr-run \(version) (buffer version \(MFR_ABI_VERSION))")
  case .run(let options): RunCommand(options: options).run()
  }
} catch {
  RunCommand.fail(64, "\(error)")
}
