// linux_calls.h - what the test tools need of Linux and Swift's Glibc module leaves out.
#ifndef MFR_TESTS_LINUX_CALLS_H
#define MFR_TESTS_LINUX_CALLS_H

#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

static inline int linux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int linux_epoll_set(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data = {.u64 = data}};
  return epoll_ctl(epoll, operation, fd, &event);
}

static inline uint32_t linux_epoll_events(const struct epoll_event *event) { return event->events; }
static inline uint64_t linux_epoll_data(const struct epoll_event *event) { return event->data.u64; }

static const uint32_t linux_epoll_in = EPOLLIN;
static const uint32_t linux_epoll_out = EPOLLOUT;
static const int linux_epoll_add = EPOLL_CTL_ADD;
static const int linux_epoll_mod = EPOLL_CTL_MOD;

void *memmem(const void *hay, size_t hay_length, const void *needle, size_t needle_length);
static inline void *linux_find(const void *hay, size_t hay_length, const void *needle, size_t needle_length) {
  return memmem(hay, hay_length, needle, needle_length);
}

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
static inline int linux_spawn_in_directory(posix_spawn_file_actions_t *actions, const char *path) {
  return posix_spawn_file_actions_addchdir_np(actions, path);
}

int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
static inline int linux_spawn_close_from(posix_spawn_file_actions_t *actions, int from) {
  return posix_spawn_file_actions_addclosefrom_np(actions, from);
}

// The calling process dies with its parent.
static inline int linux_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

// Orphans of our children become ours, so that a test can see that none is left.
static inline int linux_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1); }

// A new terminal: its master side, or -1; `name` is that of the other side.
int posix_openpt(int flags);
int unlockpt(int fd);
int ptsname_r(int fd, char *name, size_t size);
static inline int linux_open_terminal(int flags, char *name, size_t size) {
  int fd = posix_openpt(flags);
  return fd >= 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, size) == 0 ? fd : -1;
}

// Gives the disk blocks of a part of a file back; the file keeps its length.
int fallocate(int fd, int mode, long offset, long length);
static inline int linux_punch_hole(int fd, long offset, long length) {
  return fallocate(fd, 1 /* KEEP_SIZE */ | 2 /* PUNCH_HOLE */, offset, length);
}

#endif
