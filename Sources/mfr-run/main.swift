import CMFRABI
import Glibc
import MFRCore
import MFRRuntime

let version = "0.1.0"

// The coordinator is this executable once more, under a name that no user's command line gives it.
if CommandLine.arguments.first == "mfr-coordinator" {
  CoordinatorCommand.run(Array(CommandLine.arguments.dropFirst()))
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
