import ArgumentParser
import Glibc
import MFRControl
import MFRHarness

struct Servers: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "servers",
    abstract: "Breaks replicas of servers under load; a client that checks every answer must see nothing.")

  @OptionGroup var common: CommonOptions
  @Option(help: "Servers, or 'all'. May be repeated. --list shows them.")
  var server: [String] = []
  @Option(help: "How long to break replicas, per server and level.")
  var seconds = 60.0
  @Option(
    help: """
      Faults, separated by commas: KILL, SEGV, ILL, FPE, BUS, ABRT (signals to one replica); poison, segv, hang, spin, \
      bitflip (as `mfr-ctl inject`, bitflip in followers only, one of them at a time); pair (two are killed at once), joiner (one is killed, and \
      its successor while it joins), coordinator (it is killed), failover (the lead moves, nobody is broken), buffer (a \
      page of what replicas share to stay in step is poisoned in one of them).
      """)
  var faults = "KILL,SEGV,ILL,FPE,BUS,poison"
  @Option(help: "Milliseconds between faults: from-to.")
  var every = "100-300"
  @Option(help: "Connections of the load.")
  var connections = 16
  @Option(help: "Requests per second of the load. Without it, as many as get an answer.")
  var rate: Double?
  @Option(help: "Seconds, as `mfr-run` has it: when a replica that makes no progress is given up. For hang and spin.")
  var hangAfter = 1.0
  @Option(help: "Append a row for each server, level and kind of fault to this file, as docs/reliability.md has them.")
  var table: String?
  @Flag(help: "List the servers and stop.")
  var list = false

  static let usual = [
    "lighttpd-1k", "lighttpd-1k-close", "lighttpd-1m", "lighttpd-1m-close", "beanstalkd", "beanstalkd-log", "busybox",
    "nginx", "haproxy", "haproxy-2", "redis-files", "redis-16", "memcached-4", "python", "python-close", "node",
    "gunicorn", "lighttpd-daemon",
  ]

  func run() throws {
    if list {
      for service in Service.all { say("\(padded(service.name, 20)) \(service.about)") }
      return
    }
    let names = server.isEmpty ? Self.usual : server == ["all"] ? Service.all.map(\.name) : server
    let services = try names.map(Service.named)
    let pace = every.split(separator: "-").compactMap { Int64($0) }
    guard pace.count == 2, pace[0] >= 1, pace[0] <= pace[1] else { throw ValidationError("--every \(every)") }
    let chosen = try faults.split(separator: ",").map { try ReplicaFault(String($0)) }
    guard !chosen.isEmpty else { throw ValidationError("--faults: none") }

    var tally = Tally()
    for service in services {
      for level in try common.levels() {
        let levelName = level.map(String.init) ?? "native"
        let again =
          "Scripts/campaign --server \(service.name) --level \(levelName) --seconds \(fixed(seconds, 0))"
          + " --faults \(faults) --every \(every) --hang-after \(hangAfter) --seed \(common.seed)"
          + (rate.map { " --rate \($0)" } ?? "")
        let label = padded("\(service.name) level \(levelName)", 28)
        try tally.run(label, keep: common.keep, repeatWith: again) { directory in
          if service.isFamily {
            var campaign = try FamilyCampaign(
              service, level: level, directory: directory, seed: common.seed, faults: chosen,
              pace: .milliseconds(pace[0])...(.milliseconds(pace[1])))
            defer { campaign.end() }
            return try campaign.run(seconds: seconds, connections: connections, rate: rate)
          }
          var campaign = try ServerCampaign(
            service, level: level, directory: directory, seed: common.seed, faults: chosen,
            pace: .milliseconds(pace[0])...(.milliseconds(pace[1])), hangAfter: hangAfter)
          defer { campaign.end() }
          let success = try campaign.run(seconds: seconds, connections: connections, rate: rate)
          if let table { try File.append(table, campaign.rows) }
          return success
        }
      }
    }
    try tally.finish()
  }
}

/// What is done to one replica.
enum ReplicaFault: Hashable {
  case signal(String)
  case inject(ControlRequest.Injection.Fault)
  case pair, joiner, coordinator, failover, buffer
  private static let named = [
    "pair": pair, "joiner": joiner, "coordinator": coordinator, "failover": failover, "buffer": buffer,
  ]

  init(_ name: String) throws {
    if let fault = Self.named[name] {
      self = fault
    } else if let fault = ControlRequest.Injection.Fault(rawValue: name) {
      self = .inject(fault)
    } else if CommonOptions.names[name] != nil {
      self = .signal(name)
    } else {
      throw ValidationError("unknown fault '\(name)'")
    }
  }

  var name: String {
    switch self {
    case .signal(let name): name
    case .inject(let fault): fault.rawValue
    case .pair: "pair"
    case .joiner: "joiner"
    case .coordinator: "coordinator"
    case .failover: "failover"
    case .buffer: "buffer"
    }
  }
}
