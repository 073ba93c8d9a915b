// mappings.h - what mappings.c and the calls on memory share (calls/memory.c, calls/mapping.c).
#ifndef MFR_MAPPINGS_H
#define MFR_MAPPINGS_H

#include "shim.h"

#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_FIXED_NOREPLACE 0x100000
#define PROT_READ 1
#define PROT_WRITE 2
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define MADV_DONTNEED 4
#define MADV_FREE 8
#define MADV_DONTFORK 10
#define MADV_DOFORK 11
#define MADV_WIPEONFORK 18
#define MADV_REMOVE 9
#define MADV_POPULATE_READ 22

struct mfr_mapping {
  u64 start, end;
  u64 shadow;      // where the file itself is; 0: anonymous memory
  u64 valid;       // follower: bytes from `start` on that are its copy; what follows lies beyond the file's end
  u64 dev, ino, off;
  u32 prot;
};
// Alike in all replicas at the same slot.
#define MFR_MAPPINGS 256u
extern struct mfr_mapping mfr_mapping_table[];
#define FOR_EACH(m) \
  for (struct mfr_mapping *m = mfr_mapping_table; m < mfr_mapping_table + mfr_self.mappings; m++)

// Of a struct stat, as words.
#define STAT_DEV 0
#define STAT_INO 1
#define STAT_MODE 3
#define STAT_SIZE 6

static inline int is_error(long r) { return r < 0 && r > -4096; }
static inline u64 min64(u64 a, u64 b) { return a < b ? a : b; }
static inline u64 max64(u64 a, u64 b) { return a > b ? a : b; }
static inline u64 up(u64 n) { return (n + MFR_PAGE - 1) & ~(u64)(MFR_PAGE - 1); }
static inline int overlaps(const struct mfr_mapping *m, u64 start, u64 end) { return m->start < end && start < m->end; }

void mfr_useless(void); // this replica cannot have what the others have: it dies, and the set heals
void mfr_mapping_own(void);
void mfr_mapping_copy(struct mfr_mapping *m); // follower: from the shadow
void mfr_mapping_move(struct mfr_mapping *m, u64 to, u64 new, u64 shadow, int replaces);
struct mfr_mapping *mfr_mapping_add(void);
void mfr_mapping_remove(struct mfr_mapping *m);
void mfr_mapping_split(u64 at);
void mfr_mapping_cut(u64 start, u64 end);
void mfr_mapping_join(void);
void mfr_mapping_recount(void);
int mfr_mapping_doubled(u64 dev, u64 ino, u64 off, u64 bytes, u32 prot);

#endif
