import ArgumentParser

@main
struct MfrCtl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mfr-ctl", abstract: "Shows and steers programs that run under mfr-run.", subcommands: [])
}
