"""threading and queue: four workers and their sum."""
import queue
import threading

q, results = queue.Queue(), []
def work():
    while (n := q.get()) is not None:
        results.append(n * n)
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads:
    t.start()
for n in range(1000):
    q.put(n)
for _ in threads:
    q.put(None)
for t in threads:
    t.join()
print(len(results), sum(results))
