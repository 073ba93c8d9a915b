// calls/terminal.c - job control: what a terminal does to a process of the background, and stopping.
//
// The guest is stopped as a whole by its anchor, which gets the signals of the process group. Replicas block them:
// to the kernel a replica in the background is one that ignores SIGTTIN and SIGTTOU, so what these do is done here.
#include "../shim.h"

#define TCGETS 0x5401
#define TIOCGPGRP 0x540f
#define TOSTOP 0x100u
#define EIO_ERROR 5

static int stops(u32 signo) { return signo == MFR_SIGTSTP || signo == MFR_SIGTTIN || signo == MFR_SIGTTOU; }
int mfr_is_default_stop(u32 signo) { return stops(signo) && mfr_self.action[signo].handler == 0; }

// mfr_header.stops is odd while the anchor stops or is stopped. How often it has been until now: once a stop that is
// under way is over, as somebody else may continue a replica before the anchor does.
static u32 stops_seen(void) {
  struct mfr_header *h = mfr_self.h;
  u32 now;
  while ((now = mfr_load_acquire32(&h->stops)) & 1) mfr_futex_wait(&h->stops, now, NULL);
  return now;
}
// Leader: the anchor stops all of the guest by `signo`, itself the last. Comes back when all has been continued.
static void stop_now(u32 signo) {
  struct mfr_header *h = mfr_self.h;
  u32 seen = stops_seen(), now;
  mfr_store_release32(&h->stop_wanted, signo);
  mfr_wake_anchor();
  while ((now = mfr_load_acquire32(&h->stops)) == seen || (now & 1)) mfr_futex_wait(&h->stops, now, NULL);
}

// A call by which the guest stops itself. What comes with its being continued, comes with this slot.
static long stop_produce(struct mfr_call *c, void *ctx, struct mfr_turn *t, u8 *data) {
  (void)c, (void)t, (void)data;
  stop_now(*(u32 *)ctx);
  return 0;
}
static const struct mfr_shape stop_shape = {mfr_no_prepare, stop_produce, mfr_no_used, mfr_no_consume, NULL};
long mfr_stop_call(struct mfr_call *c, u32 signo) { return mfr_lane_call(c, &stop_shape, &signo); }

// A stop signal that was blocked when it came is delivered.
void mfr_stop(u32 signo) {
  if ((mfr_load_acquire64(&mfr_self.h->grant) & 0xff) == mfr_self.index) stop_now(signo);
}

static int is_job_ioctl(u32 command) {
  switch (command) {
  case 0x5402: case 0x5403: case 0x5404: // TCSETS, TCSETSW, TCSETSF
  case 0x5406: case 0x5407: case 0x5408: // TCSETA, TCSETAW, TCSETAF
  case 0x5409: case 0x540a: case 0x540b: // TCSBRK, TCXONC, TCFLSH
  case 0x5410: case 0x5425: // TIOCSPGRP, TCSBRKP
  case 0x402c542b: case 0x402c542c: case 0x402c542d: // TCSETS2 …
    return 1;
  default:
    return 0;
  }
}

// As the kernel finds it: nobody is left who could continue the group.
static int is_orphaned(void) {
  long parent = mfr_self.h->anchor_ppid, group = SYS0(getpgrp);
  long theirs = SYS1(getpgid, parent);
  return theirs < 0 || theirs == group || SYS1(getsid, parent) != SYS1(getsid, 0);
}

// Leader, before a call on a terminal: 0 when it may be made; -EINTR for a signal; -EIO. Comes back once the group is in the foreground.
long mfr_terminal_turn(const struct mfr_call *c, int reads) {
  u32 signo = reads ? MFR_SIGTTIN : MFR_SIGTTOU;
  if (c->nr == __NR_ioctl && !is_job_ioctl((u32)c->a[1])) return 0;
  for (;;) {
    i32 front = 0;
    u32 settings[9];
    // Only a terminal that controls this session says which group is in front.
    if (SYS3(ioctl, c->a[0], TIOCGPGRP, &front) != 0 || front == (i32)SYS0(getpgrp) || !front) return 0;
    if (!reads && c->nr != __NR_ioctl &&
        (SYS3(ioctl, c->a[0], TCGETS, settings) != 0 || !(settings[3] & TOSTOP)))
      return 0;
    if ((mfr_self.vmask & SIG_BIT(signo)) || mfr_self.action[signo].handler == 1) return reads ? -EIO_ERROR : 0;
    if (is_orphaned()) return -EIO_ERROR;
    if (mfr_deliverable()) return -MFR_EINTR;
    SYS2(kill, 0, signo); // to the whole group; the anchor leaves to us what stops it
    if (mfr_self.action[signo].handler == 0) {
      stop_now(signo);
      continue;
    }
    struct mfr_timespec most = {0, 10000000};
    while (!mfr_deliverable()) SYS4(ppoll, NULL, 0, &most, NULL); // a kick comes with it
  }
}
