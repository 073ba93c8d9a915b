import CMFRABI
import Glibc
import Testing

@testable import MFRRuntime

@Suite("Broken buffer")
struct BrokenBufferTests {
  @Test("An alarm that its raiser died over is taken back, one that is being raised is not")
  func abandonedAlarm() throws {
    // Mapped for good: the guard of this process keeps its address.
    let whole = mmap(nil, SyncBuffer.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
    let base = try #require(whole != MAP_FAILED ? whole : nil)
    mfr_host_guard_buffer(base, 1)
    let alarm = try #require(mfr_alarm_for(base, 0))

    func filling(_ pid: pid_t) -> UInt32 { UInt32(pid) << 8 | MFR_ALARM_FILLING.rawValue }
    var ended: pid_t = 0
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
    defer { free(arguments[0]) }
    try #require(posix_spawnp(&ended, "true", nil, nil, &arguments, environ) == 0)
    var status: Int32 = 0
    try #require(waitpid(ended, &status, 0) == ended)
    alarm.pointee.state = filling(ended)
    mfr_host_check_alarm()
    #expect(alarm.pointee.state == MFR_ALARM_IDLE.rawValue)

    // A child that lives: it waits for its standard input.
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    posix_spawn_file_actions_addclose(&actions, ends[1])
    var living: pid_t = 0
    var cat: [UnsafeMutablePointer<CChar>?] = [strdup("cat"), nil]
    defer { free(cat[0]) }
    try #require(posix_spawnp(&living, "cat", &actions, nil, &cat, environ) == 0)
    alarm.pointee.state = filling(living)
    mfr_host_check_alarm()
    #expect(alarm.pointee.state == filling(living))
    close(ends[0])
    close(ends[1])
    try #require(waitpid(living, &status, 0) == living)
    mfr_host_check_alarm()
    #expect(alarm.pointee.state == MFR_ALARM_IDLE.rawValue)
  }
}
