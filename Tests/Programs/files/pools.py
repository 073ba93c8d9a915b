"""Thread pools, timers, events, conditions, barriers, thread-local data, and files that threads share."""
import concurrent.futures
import hashlib
import multiprocessing.dummy
import subprocess
import threading
import time
import zlib

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(lambda n: n * n, range(500))))
    futures = [pool.submit(hashlib.sha256, bytes([n]) * 100000) for n in range(8)]
    print([f.result().hexdigest()[:8] for f in futures])
    print(sorted(f.result() for f in concurrent.futures.as_completed([pool.submit(len, "x" * n) for n in range(9)])))
    try:
        pool.submit(lambda: 1 // 0).result()
    except ZeroDivisionError as error:
        print(error)

with multiprocessing.dummy.Pool(3) as pool:
    print(pool.map(zlib.crc32, [bytes(range(n)) for n in range(20)])[-1])

fired = threading.Event()
timer = threading.Timer(0.01, fired.set)
timer.start()
print(fired.wait(20))
cancelled = threading.Timer(100, print)
cancelled.start()
cancelled.cancel()
cancelled.join()

barrier, local, lock, seen = threading.Barrier(5), threading.local(), threading.RLock(), []
def meet(n):
    local.n = n
    barrier.wait()
    with lock, lock:
        seen.append(local.n)
threads = [threading.Thread(target=meet, args=(n,), name=f"meets {n}") for n in range(5)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sorted(seen))

condition, turn, order = threading.Condition(), 0, []
def in_turn(n):
    global turn
    with condition:
        condition.wait_for(lambda: turn == n)
        order.append(n)
        turn += 1
        condition.notify_all()
threads = [threading.Thread(target=in_turn, args=(n,)) for n in reversed(range(6))]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(order)

slots = threading.BoundedSemaphore(2)
print(slots.acquire(), slots.acquire(timeout=1), slots.acquire(timeout=0.01))

def run(n):
    return subprocess.run(["sh", "-c", f"exit {n}"]).returncode
with concurrent.futures.ThreadPoolExecutor(3) as pool:
    print(list(pool.map(run, range(6))))

def sleeper():
    time.sleep(1000)
threading.Thread(target=sleeper, daemon=True).start()
print(threading.active_count())
