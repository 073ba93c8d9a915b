// buffer.c - a page of the buffer breaks: the anchor's and the coordinator's part of
// docs/design/0005-broken-buffer.md.
//
// Law: what runs in the fault handler may come in the midst of anything: system calls and this file's own
// variables only.
#include "mfr_host.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALL_PAGES (MFR_BUFFER_BYTES / MFR_PAGE)
#define BUS_BIT (1ull << (SIGBUS - 1))

static char *guarded;        // the buffer
static int is_anchor;
static _Atomic int repairer; // thread that is at it
static __thread volatile int probing;
static __thread sigjmp_buf probe_place;

// ---- what the anchor remembers ------------------------------------------------------------------------
// Header and replicas as they were when this process looked last. What changes fast in them is either the leader's,
// who knows it, or is worked out anew.
static union {
  struct mfr_header header;
  unsigned char bytes[MFR_OFF_RANGES];
} shadow;
static uint32_t shadow_ticket;

static void remember(size_t from, size_t to) {
  const volatile uint64_t *at = (const volatile uint64_t *)(const void *)guarded;
  uint64_t *copy = (uint64_t *)(void *)shadow.bytes;
  for (size_t i = from / 8; i < (to + 7) / 8; i++) copy[i] = at[i];
}
void mfr_host_remember(void) {
  if (!guarded) return;
  const size_t pending = offsetof(struct mfr_header, pending), behind = offsetof(struct mfr_header, usage);
  remember(0, pending);
  uint32_t ticket = mfr_load_acquire32(&mfr_header_of(guarded)->sig_ticket);
  if (ticket != shadow_ticket) remember(pending, behind);
  shadow_ticket = ticket;
  remember(behind, MFR_OFF_RANGES);
}

// ---- processes ------------------------------------------------------------------------------------------
static int look_at(int pid, int options, siginfo_t *info) {
  memset(info, 0, sizeof *info);
  long r;
  do r = syscall(SYS_waitid, P_PID, pid, info, options, NULL);
  while (r < 0 && errno == EINTR);
  return (int)r;
}
static int is_alive(int pid) {
  siginfo_t info;
  return pid > 0 && look_at(pid, WEXITED | WNOHANG | WNOWAIT, &info) == 0 && info.si_pid == 0;
}
// Replicas that were reaped here: their SIGCHLD comes later, and is none for the guest.
static _Atomic int reaped[MFR_MAX_REPLICAS];
static void note_reaped(int pid) {
  for (uint32_t i = 0; i < MFR_MAX_REPLICAS; i++) {
    int none = 0;
    if (atomic_compare_exchange_strong(&reaped[i], &none, pid)) return;
  }
}
int mfr_host_next_reaped(void) {
  for (uint32_t i = 0; i < MFR_MAX_REPLICAS; i++) {
    int pid = atomic_exchange(&reaped[i], 0);
    if (pid) return pid;
  }
  return 0;
}
// Only a child of ours is ever killed, whatever the buffer says. It stays a zombie, to be settled, unless `reap`.
static void end_child(int pid, int reap) {
  siginfo_t info;
  if (pid <= 0 || look_at(pid, WEXITED | WNOHANG | WNOWAIT, &info) < 0) return;
  syscall(SYS_kill, pid, SIGKILL);
  if (reap) note_reaped(pid);
  look_at(pid, WEXITED | (reap ? 0 : WNOWAIT), &info);
}
static void pause_us(long us) {
  struct timespec t = {us / 1000000, us % 1000000 * 1000};
  syscall(SYS_nanosleep, &t, NULL);
}

// ---- one page --------------------------------------------------------------------------------------------
static int readable(const char *at) {
  if (sigsetjmp(probe_place, 1)) {
    probing = 0;
    return 0;
  }
  probing = 1;
  (void)*(const volatile char *)at;
  probing = 0;
  return 1;
}
static int holds(uint32_t page, size_t from, size_t bytes) {
  return from < ((size_t)page + 1) * MFR_PAGE && from + bytes > (size_t)page * MFR_PAGE;
}
#define HEADER_HAS(page, field) \
  holds(page, offsetof(struct mfr_header, field), sizeof(((struct mfr_header *)0)->field))

// The broken frame goes out of the file, and with it the entries of our page table that lead to it. `whole` is 1
// when there is a frame again: zeros.
static int exchange(uint32_t page) {
  char *at = guarded + (size_t)page * MFR_PAGE;
  for (int n = 0; n < 3; n++) {
    if (madvise(at, MFR_PAGE, MADV_REMOVE) < 0) return 0;
    // A mapping of a shared file can be doubled: the new one begins without entries, and takes the old one's place.
    char *fresh = mremap(guarded, 0, MFR_BUFFER_BYTES, MREMAP_MAYMOVE);
    if (fresh == MAP_FAILED) return 0;
    if (mremap(fresh, MFR_BUFFER_BYTES, MFR_BUFFER_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, guarded) != guarded) return 0;
    if (readable(at)) return 1;
  }
  return 0;
}

// What was in the page, as far as the anchor can know it; the leader adds what is its own.
static void refill(uint32_t page, uint32_t survivor) {
  struct mfr_header *h = mfr_header_of(guarded);
  size_t from = (size_t)page * MFR_PAGE;
  if (from >= MFR_OFF_RANGES) return; // slots, data, ranges: nobody is left who needs them
  memcpy(guarded + from, shadow.bytes + from, MFR_PAGE);
  if (from >= MFR_OFF_REPLICAS) {
    for (uint32_t i = 0; i < MFR_MAX_REPLICAS; i++)
      if (i != survivor) memset(mfr_replica_at(guarded, i), 0, sizeof(struct mfr_replica));
    // A place that nobody has and that counts as live would be behind for ever: the leader would wait for it.
    mfr_store_release32(&h->live, 1u << survivor);
    mfr_store_release32(&h->parked, 0);
    return;
  }
  if (HEADER_HAS(page, live)) {
    h->live = 1u << survivor;
    h->stalled = 0;
    h->signal_point = 0;
    h->sig_pending = ~0ull; // a hint: who believes it looks
    h->parked = 0;
  }
  // A call to the anchor is posted anew, and what was answered is answered the same again.
  if (HEADER_HAS(page, rpc)) h->rpc.state = MFR_RPC_IDLE;
  // Children that are not known here are looked for in /proc.
  if (HEADER_HAS(page, children)) h->children_lost = 1;
}

// Who was about to raise an alarm has died over it.
static void give_up_filling(struct mfr_alarm *alarm) {
  uint32_t state = mfr_load_acquire32(&alarm->state);
  if ((state & 0xff) == MFR_ALARM_FILLING && !is_alive((int)(state >> 8)))
    mfr_cas_acqrel32(&alarm->state, state, MFR_ALARM_IDLE);
}

static void ask_replicas(uint32_t page) {
  union {
    siginfo_t info;
    char bytes[128];
  } ask;
  memset(&ask, 0, sizeof ask);
  ask.info.si_signo = SIGBUS;
  ask.info.si_code = SI_QUEUE;
  ask.info.si_pid = getpid();
  ask.info.si_value.sival_ptr = (void *)(uintptr_t)(MFR_ALARM_MAGIC | page);
  for (uint32_t i = 0; i < MFR_MAX_REPLICAS; i++) {
    int pid = ((struct mfr_replica *)(void *)(shadow.bytes + MFR_OFF_REPLICAS))[i].pid;
    if (is_alive(pid)) syscall(SYS_rt_sigqueueinfo, pid, SIGBUS, &ask);
  }
}

static int repair(uint32_t page) {
  struct mfr_header *h = mfr_header_of(guarded);
  struct mfr_alarm *alarm = mfr_alarm_for(guarded, page);
  if (shadow.header.mode == MFR_MODE_NATIVE) { // one process, which uses little of it
    if (!exchange(page)) return -1;
    refill(page, shadow.header.grant & 0xff);
    return 0;
  }
  mfr_cas_acqrel32(&alarm->state, MFR_ALARM_SUSPECT, MFR_ALARM_IDLE);
  // Whoever leads stops where it is, and says so.
  for (int n = 0; mfr_load_acquire32(&alarm->state) != MFR_ALARM_RAISED; n++) {
    if (n == 5000) return -1;
    if (n % 100 == 0) ask_replicas(page);
    give_up_filling(alarm);
    pause_us(1000);
  }
  uint32_t survivor = alarm->place % MFR_MAX_REPLICAS;
  int pid = alarm->pid;
  int own_entry = page >= MFR_OFF_REPLICAS / MFR_PAGE && page < MFR_OFF_RANGES / MFR_PAGE;
  if (alarm->page != page || !is_alive(pid)) {
    mfr_store_release32(&alarm->state, MFR_ALARM_IDLE);
    return -1;
  }
  // Nobody moves the lead any more. Before, somebody may have: one that has stopped here is late, and others bid. Then the
  // one that led is behind, and it is the others who know how things stand: they come to the page themselves, or never.
  int page_of_grant = page == 0 && !readable(guarded);
  end_child(page_of_grant ? shadow.header.coordinator_pid : h->coordinator_pid, 0);
  if (!page_of_grant && (mfr_load_acquire64(&h->grant) & 0xff) != survivor) {
    end_child(pid, 0);
    mfr_store_release32(&alarm->state, MFR_ALARM_IDLE);
    mfr_add_acqrel32(&h->anchor_wake, 1);
    return 0;
  }
  // All others have what is broken for a basis. Their zombies tell what they had done.
  int table = !own_entry || readable(guarded + (size_t)page * MFR_PAGE); // broken for the leader alone, it tells more
  for (uint32_t i = 0; i < MFR_MAX_REPLICAS; i++) {
    int known = ((struct mfr_replica *)(void *)(shadow.bytes + MFR_OFF_REPLICAS))[i].pid;
    int now = table ? mfr_replica_at(guarded, i)->pid : 0;
    if (known != pid) end_child(known, own_entry);
    if (now != pid && now != known) end_child(now, own_entry);
  }
  if (!exchange(page)) return -1;
  refill(page, survivor);
  if ((mfr_load_acquire64(&h->grant) & 0xff) != survivor)
    mfr_store_release64(&h->grant, ((h->grant >> 8) + 1) << 8 | survivor);
  h->breaks = ++shadow.header.breaks;
  h->break_page = page;
  mfr_store_release32(&alarm->state, MFR_ALARM_REPLACED);
  for (int n = 0; mfr_load_acquire32(&alarm->state) != MFR_ALARM_FILLED && is_alive(pid); n++) {
    syscall(SYS_kill, pid, SIGCONT);
    pause_us(n < 100 ? 100 : 1000);
  }
  mfr_store_release32(&alarm->state, MFR_ALARM_IDLE);
  mfr_add_acqrel32(&h->anchor_wake, 1);
  return 0;
}

static int replace(uint32_t page) {
  int me = (int)syscall(SYS_gettid), nobody = 0;
  if (repairer == me) return -1; // a second page, in the midst of the first one's repair
  while (!atomic_compare_exchange_weak(&repairer, &nobody, me)) {
    nobody = 0;
    pause_us(100);
  }
  // The other thread may have done it meanwhile.
  struct mfr_alarm *alarm = mfr_alarm_for(guarded, page);
  uint32_t state = mfr_load_acquire32(&alarm->state);
  int needed = ((state == MFR_ALARM_RAISED || state == MFR_ALARM_SUSPECT) && alarm->page == page) ||
               !readable(guarded + (size_t)page * MFR_PAGE);
  int result = needed ? repair(page) : 0;
  repairer = 0;
  return result;
}

void mfr_host_check_alarm(void) {
  if (!guarded) return;
  for (uint32_t n = 0; n < 2; n++) {
    struct mfr_alarm *alarm = (struct mfr_alarm *)(void *)(guarded + MFR_OFF_ALARM + n * MFR_PAGE);
    give_up_filling(alarm);
    uint32_t state = mfr_load_acquire32(&alarm->state);
    if (state == MFR_ALARM_RAISED || state == MFR_ALARM_SUSPECT) (void)replace(alarm->page % ALL_PAGES);
  }
}

// ---- the fault handler -------------------------------------------------------------------------------------
static siginfo_t sent;
static _Atomic int was_sent;

static void on_bus(int signo, siginfo_t *info, void *context) {
  (void)context;
  if (probing) siglongjmp(probe_place, 1);
  int error = errno;
  if (info->si_code <= 0 && !is_anchor) { // somebody sent it: what it does to any process
    mfr_host_set_default(signo);
    syscall(SYS_kill, getpid(), signo); // when the handler is over
    return;
  }
  if (info->si_code <= 0) { // somebody sent it: the main thread takes it
    memcpy(&sent, info, sizeof sent);
    was_sent = 1;
    syscall(SYS_kill, getpid(), MFR_KICK_SIGNAL);
    errno = error;
    return;
  }
  uintptr_t offset = (uintptr_t)info->si_addr - (uintptr_t)guarded;
  if (offset < MFR_BUFFER_BYTES) {
    uint32_t page = (uint32_t)(offset / MFR_PAGE);
    if (is_anchor && replace(page) == 0) {
      errno = error;
      return;
    }
    if (!is_anchor) {
      // The anchor sees the death, and then this; another coordinator comes after the repair.
      struct mfr_alarm *alarm = mfr_alarm_for(guarded, page);
      if (mfr_cas_acqrel32(&alarm->state, MFR_ALARM_IDLE, MFR_ALARM_FILLER(syscall(SYS_getpid)))) {
        alarm->page = page;
        mfr_store_release32(&alarm->state, MFR_ALARM_SUSPECT);
      }
      syscall(SYS_exit_group, 1);
    }
  }
  mfr_host_set_default(signo);
}

void mfr_host_guard_buffer(void *base, int anchor) {
  if (mfr_host_disposition(SIGBUS) == 1) return; // the guest is to inherit that
  guarded = base;
  is_anchor = anchor;
  struct sigaction act = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigemptyset(&act.sa_mask);
  sigaction(SIGBUS, &act, NULL);
}
void mfr_host_open_bus(void) {
  if (!guarded) return;
  uint64_t bus = BUS_BIT;
  syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &bus, NULL, 8);
}
uint64_t mfr_host_always_open(void) { return guarded ? BUS_BIT : 0; }
int mfr_host_sent_bus(void *siginfo) {
  if (!atomic_exchange(&was_sent, 0)) return 0;
  memcpy(siginfo, &sent, sizeof sent);
  return 1;
}
