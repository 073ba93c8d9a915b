// Abstract: C++ threads: mutexes, condition variables, futures, async, thread_local, exceptions between threads.
// Link: -std=c++20
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
static std::mutex m;
static std::condition_variable changes;
static int turn;
struct Counted {
  static std::atomic<int> made, gone;
  int value = ++made;
  ~Counted() { gone++; }
};
std::atomic<int> Counted::made, Counted::gone;
static thread_local Counted counted;

static void in_turn(int me) {
  std::unique_lock lock(m);
  changes.wait(lock, [&] { return turn == me; });
  std::printf("thread %d %s\n", me, counted.value > 0 ? "counted" : "?");
  turn++;
  changes.notify_all();
}

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  {
    std::vector<std::thread> threads;
    for (int i = 0; i < 5; i++) threads.emplace_back(in_turn, i);
    for (auto &t : threads) t.join();
  }
  std::printf("%d made, %d gone\n", int(Counted::made), int(Counted::gone));
  std::promise<int> promise;
  auto future = promise.get_future();
  std::thread setter([&] {
    std::this_thread::sleep_for(1ms);
    promise.set_value(42);
  });
  std::printf("%d\n", future.get());
  setter.join();
  auto throws = std::async(std::launch::async, []() -> int { throw std::runtime_error("thrown in a thread"); });
  try {
    throws.get();
  } catch (const std::exception &e) {
    std::printf("%s\n", e.what());
  }
  std::vector<std::future<long>> parts;
  for (long p = 0; p < 4; p++)
    parts.push_back(std::async(std::launch::async, [p] {
      std::vector<long> v(1000);
      std::iota(v.begin(), v.end(), p * 1000);
      return std::accumulate(v.begin(), v.end(), 0l);
    }));
  long sum = 0;
  for (auto &f : parts) sum += f.get();
  std::printf("%ld\n", sum);
  std::condition_variable_any any;
  std::shared_mutex shared;
  std::unique_lock lock(shared);
  std::printf("%s\n", any.wait_for(lock, 3ms) == std::cv_status::timeout ? "timeout" : "woken");
  std::timed_mutex timed;
  timed.lock();
  std::thread tries([&] { std::printf("%d\n", int(timed.try_lock_for(3ms))); });
  tries.join();
  auto pointer = std::make_shared<std::string>("shared");
  std::vector<std::thread> holders;
  for (int i = 0; i < 4; i++) holders.emplace_back([pointer] { std::this_thread::yield(); });
  for (auto &t : holders) t.join();
  std::printf("%ld\n", pointer.use_count());
  std::jthread stoppable([](std::stop_token stop) {
    while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
  });
  stoppable.request_stop();
  stoppable.join();
  usleep(20000);
  std::printf("ok thread-cxx\n");
}
