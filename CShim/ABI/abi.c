// abi.c - the system-call side of mfr_host.h and the call table as text. Swift side only: the shim
// does not link this file.
#include "mfr_host.h"

#define MFR_CALL(number, name, class, commit, flags, arity, a0, a1, a2, a3, a4, a5, where) \
  {number, #name, #class, #commit, #flags, arity, {#a0, #a1, #a2, #a3, #a4, #a5}, #where},
static const struct mfr_call_row mfr_call_rows[] = {
#include "mfr_calls.def"
};
#undef MFR_CALL
const uint32_t mfr_call_row_count = sizeof mfr_call_rows / sizeof mfr_call_rows[0];
const struct mfr_call_row *mfr_call_rows_first(void) { return mfr_call_rows; }
