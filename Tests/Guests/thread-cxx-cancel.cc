// Abstract: cancellation and pthread_exit unwind C++ frames: destructors run, catch (...) that rethrows is passed.
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include <cstdio>
#include <cxxabi.h>

static sem_t ready;
struct Says {
  const char *text;
  ~Says() { std::printf("%s\n", text); }
};
static void *cancelled(void *) {
  Says outer{"outer destructor"};
  try {
    Says inner{"inner destructor"};
    sem_post(&ready);
    for (;;) pause();
  } catch (abi::__forced_unwind &) {
    std::printf("forced unwind\n");
    throw;
  } catch (...) {
    std::printf("not this\n");
  }
  return nullptr;
}
static void *exits(void *) {
  Says one{"at pthread_exit"};
  try {
    pthread_exit(reinterpret_cast<void *>(6));
  } catch (...) {
    std::printf("caught and thrown on\n");
    throw;
  }
}

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  pthread_t t;
  void *r;
  sem_init(&ready, 0, 0);
  for (int i = 0; i < 2; i++) {
    pthread_create(&t, nullptr, cancelled, nullptr);
    sem_wait(&ready);
    pthread_cancel(t);
    pthread_join(t, &r);
    std::printf("%s\n", r == PTHREAD_CANCELED ? "cancelled" : "?");
  }
  pthread_create(&t, nullptr, exits, nullptr);
  pthread_join(t, &r);
  std::printf("%ld\n", reinterpret_cast<long>(r));
  usleep(20000);
  std::printf("ok thread-cxx-cancel\n");
}
