import CMFRABI
import Glibc
import MFRCore
import MFRRuntime

/// Starts a program under protection and becomes its anchor.
struct RunCommand {
  let options: RunOptions

  static func fail(_ status: Int32, _ text: String) -> Never {
    let line = "mfr-run: \(text)\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
    exit(status)
  }

  func run() -> Never {
    let mask = mfr_host_block_all()
    do {
      let path = getenv("PATH").map { String(cString: $0) }
      let program = try ProgramFile.resolve(options.program[0], path: path)
      if let why = program.unprotected {
        runUnprotected(program, mask: mask, because: why)
      }
      let tool = ShimFile.toolPath()
      guard let shim = ShimFile.locate(tool: tool) else {
        Self.fail(
          125,
          "no usable libmfrshim.so beside \(tool) or in ../lib/mfr; run Scripts/build, or install it there"
            + " (its path may hold no space and no colon)")
      }
      if !options.verbose { checkEvents() }  // the coordinator's own complaint is only seen with -v
      let launch = Launch(
        options: options, program: program, arguments: arguments(of: program), shim: shim, tool: tool, mask: mask)
      try launch.start().run()
    } catch let refusal as ProgramFile.Refusal {
      Self.fail(refusal.status, refusal.description)
    } catch let failure as Launch.CannotExecute {
      Self.fail(failure.status, failure.description)
    } catch let failure as SystemError {
      // Something is short. Without MFR the program would run: it does.
      do {
        let program = try ProgramFile.resolve(options.program[0], path: getenv("PATH").map { String(cString: $0) })
        runUnprotected(program, mask: mask, because: failure.description)
      } catch { Self.fail(125, "cannot start: \(error)") }
    } catch {
      Self.fail(125, "cannot start: \(error)")
    }
  }

  /// Says early that the events file cannot be written; the program runs all the same.
  private func checkEvents() {
    guard !options.events.isEmpty else { return }
    let file = open(options.events, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o644)
    if file >= 0 {
      close(file)
    } else {
      let line = "mfr-run: warning: cannot open \(options.events): \(SystemError.text(errno)); events are lost\n"
      _ = line.withCString { write(2, $0, strlen($0)) }
    }
  }

  private func runUnprotected(_ program: ProgramFile, mask: UInt64, because why: String) -> Never {
    let line = "mfr-run: warning: \(options.program[0]) runs unprotected: \(why)\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
    mfr_host_set_mask(mask)
    let result = mfr_host_exec(program.path, arguments(of: program).pointers, mfr_host_environ())
    let code = -result
    Self.fail(code == ENOENT ? 127 : 126, "\(options.program[0]): \(SystemError.text(code))")
  }

  /// The program's argument list. What the user gave is passed on byte for byte, text or not.
  private func arguments(of program: ProgramFile) -> CStrings {
    let list = CStrings(program.leading)
    let first = Int(CommandLine.argc) - options.program.count + 1
    for index in first..<max(first, Int(CommandLine.argc)) {
      if let argument = CommandLine.unsafeArgv[index] { list.append(argument) }
    }
    return list
  }
}
