// repair.c - a page of the buffer breaks: docs/design/0005-broken-buffer.md. The leader stays, stops until the anchor has
// put another frame in the page's place, writes into it what is its own, and goes on where it was. Others die.
//
// Law: runs in the fault handler, in the midst of anything. What is in mfr_self is whole; in the broken page nothing is.
#include "shim.h"

#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define IN_PAGE(page, off, bytes) ((off) < ((u64)(page) + 1) * MFR_PAGE && (off) + (bytes) > (u64)(page)*MFR_PAGE)
#define HEADER_HAS(page, field) \
  IN_PAGE(page, offsetof(struct mfr_header, field), sizeof(((struct mfr_header *)0)->field))

static void wait_ms(u64 ms) {
  struct mfr_timespec t = {0, (i64)ms * 1000000};
  SYS2(nanosleep, &t, NULL);
}
static void die(void) {
  for (;;) SYS2(kill, mfr_self.rpid, MFR_SIGKILL);
}

// The grant is in the first page: without it a replica goes by what it last did.
static int leads(u32 page) {
  return page ? (mfr_load_acquire64(&mfr_self.h->grant) & 0xff) == mfr_self.index : mfr_self.leading != 0;
}
static int another_leads(u32 page) {
  if (!page) return 0;
  const struct mfr_replica *r = mfr_replica_at(mfr_self.base, (u32)mfr_load_acquire64(&mfr_self.h->grant) & 0xff);
  if (IN_PAGE(page, MFR_OFF_REPLICAS, MFR_MAX_REPLICAS * sizeof *r)) return 1;
  return r->state != MFR_REPLICA_DEAD && r->pid > 0 && SYS2(kill, r->pid, 0) == 0;
}

// Nobody's hands but ours were at it: a mapping of a shared file can be doubled, and the double has no entries yet.
static void renew_mapping(void) {
  long fresh = SYS4(mremap, mfr_self.base, 0, MFR_BUFFER_BYTES, MREMAP_MAYMOVE);
  if (fresh < 0 && fresh > -4096) die();
  if (SYS5(mremap, fresh, MFR_BUFFER_BYTES, MFR_BUFFER_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, mfr_self.base) !=
      (long)mfr_self.base)
    die();
}

// What only this replica knows of what was in the page.
static void fill(u32 page) {
  struct mfr_header *h = mfr_self.h;
  struct mfr_replica *me = mfr_self.me;
  if (IN_PAGE(page, (u64)((u8 *)me - mfr_self.base), sizeof *me)) {
    me->seq = mfr_self.seq;
    me->data_pos = mfr_self.data_pos;
    me->begun = mfr_self.claim.begun;
    me->in_sum = mfr_self.in_sum;
    me->out_sum = mfr_self.out_sum;
    me->pid = mfr_self.rpid;
    me->phase = MFR_PHASE_GUEST;
    me->bid = me->kicked = me->park = 0;
    me->verdict = MFR_VERDICT_NONE;
    me->settled = 0;
    if (!me->generation) me->generation = 1;
    // What it was asked for is forgotten, and asked for again; un-sharing is begun anew.
    me->request = 0;
    int joining = mfr_self.memory_work == MFR_REQ_UNSHARE;
    me->unshared = !joining;
    me->state = joining ? MFR_REPLICA_JOINING : MFR_REPLICA_RUNNING;
    mfr_self.memory_work = 0;
  }
  if (HEADER_HAS(page, mode)) h->mode = MFR_MODE_LANE;
  if (HEADER_HAS(page, sig_ignored)) {
    h->sig_ignored = h->sig_caught = 0;
    for (u32 s = 1; s < MFR_NSIG; s++) {
      if (mfr_self.action[s].handler == 1) h->sig_ignored |= SIG_BIT(s);
      if (mfr_self.action[s].handler > 1) h->sig_caught |= SIG_BIT(s);
    }
    h->sig_child_flags = (u32)mfr_self.action[MFR_SIGCHLD].flags & (MFR_SA_NOCLDSTOP | MFR_SA_NOCLDWAIT);
  }
  // Of the signals that the anchor remembers, those that have been taken since.
  for (u32 i = 1; i < MFR_PENDING; i++) {
    if (!HEADER_HAS(page, pending_word[i])) continue;
    u64 w = h->pending_word[i];
    u32 s = mfr_pending_signo(w);
    if (mfr_pending_state_of(w) == MFR_PENDING_READY && mfr_self.taken[s % MFR_NSIG] &&
        (i32)(mfr_pending_ticket(w) - (mfr_self.taken[s % MFR_NSIG] - 1)) <= 0)
      h->pending_word[i] = 0;
  }
  struct mfr_slot *slot = mfr_slot_at(mfr_self.base, mfr_self.seq);
  if (mfr_self.claim.state == MFR_CLAIM_HELD && IN_PAGE(page, (u64)((u8 *)slot - mfr_self.base), sizeof *slot)) {
    slot->data_off = mfr_self.claim.data_off;
    slot->data_len = mfr_self.claim.need;
    slot->word = mfr_word(mfr_self.seq, mfr_self.claim.nr, mfr_self.index, MFR_SLOT_CLAIMED);
  }
  if (IN_PAGE(page, (u64)((u8 *)&me->alive - mfr_self.base), sizeof me->alive)) mfr_mark_alive();
}

// A system call that has just come back with a result.
static int has_result(const struct mfr_frame *f) {
  if (f->rip <= (u64)mfr_gate_start || f->rip > (u64)mfr_gate_end) return 0;
  const u8 *before = (const u8 *)f->rip - 2;
  return before[0] == 0x0f && before[1] == 0x05 && (i64)f->rax >= 0;
}

// The call in progress has its data in the page. Nothing done yet: it is made anew. Done: what it brought is lost.
static void look_after_call(u32 page, struct mfr_frame *f) {
  struct mfr_claim *c = &mfr_self.claim;
  u64 off = MFR_OFF_DATA + c->data_off % MFR_DATA_BYTES;
  if (c->state == MFR_CLAIM_NONE || !c->need || !IN_PAGE(page, off, c->need)) return;
  if (c->state == MFR_CLAIM_HELD && !c->executed && !has_result(f) && c->can_redo) {
    struct mfr_slot *slot = mfr_slot_at(mfr_self.base, mfr_self.seq);
    mfr_store_release64(&slot->word, 0);
    c->state = MFR_CLAIM_NONE;
    mfr_self.me->phase = MFR_PHASE_GUEST;
    mfr_leave_to(f, &c->redo);
    return;
  }
  c->lost = 1;
  if (mfr_self.try_active) mfr_leave_to(f, &mfr_self.try_buf);
}

void mfr_buffer_broken(u32 page, struct mfr_frame *f) {
  static u32 at_it;
  if (at_it) return; // asked meanwhile
  at_it = 1;
  struct mfr_alarm *alarm = mfr_alarm_for(mfr_self.base, page);
  for (u32 n = 0; !leads(page); n++) {
    // Somebody else stays: our end is near. Nobody does: it was the leader's end that came first.
    if (another_leads(page)) die();
    if (n > 200 && mfr_load_acquire32(&alarm->state) == MFR_ALARM_IDLE) break;
    wait_ms(1);
  }
  for (;;) {
    u32 state = mfr_load_acquire32(&alarm->state);
    if (state != MFR_ALARM_IDLE && state != MFR_ALARM_SUSPECT) wait_ms(1);
    else if (mfr_cas_acqrel32(&alarm->state, state, MFR_ALARM_FILLER(mfr_self.rpid))) break;
  }
  alarm->page = page;
  alarm->place = mfr_self.index;
  alarm->pid = mfr_self.rpid;
  mfr_store_release32(&alarm->state, MFR_ALARM_RAISED);
  // That this process stops is what its parent is told by the kernel, whatever is broken. It lets us go on.
  while (mfr_load_acquire32(&alarm->state) != MFR_ALARM_REPLACED) SYS2(kill, mfr_self.rpid, MFR_SIGSTOP);
  renew_mapping();
  fill(page);
  at_it = 0;
  mfr_store_release32(&alarm->state, MFR_ALARM_FILLED);
  look_after_call(page, f);
}

// The kernel could not read or write what was to be in the slot: a broken page of it shows itself when it is touched.
void mfr_touch_claim(void) {
  const struct mfr_claim *c = &mfr_self.claim;
  if (c->state == MFR_CLAIM_NONE) return;
  const volatile u8 *data = mfr_data_at(mfr_self.base, c->data_off);
  for (u64 at = 0; at < c->need; at += MFR_PAGE) (void)data[at];
  if (c->need) (void)data[c->need - 1];
}
