import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

/** Executors, locks, parallel streams, timers, and a thread that is interrupted. */
public class Threads {
  static int counter;
  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<Integer>> results = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      int n = i;
      results.add(pool.submit(() -> n * n));
    }
    int sum = 0;
    for (Future<Integer> f : results) sum += f.get();
    System.out.println(sum);
    pool.shutdown();
    System.out.println(pool.awaitTermination(30, TimeUnit.SECONDS));
    Thread[] threads = new Thread[6];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> {
        for (int k = 0; k < 1000; k++) synchronized (Threads.class) { counter++; }
      });
      threads[i].start();
    }
    for (Thread t : threads) t.join();
    System.out.println(counter);
    System.out.println(java.util.stream.LongStream.range(0, 100000).parallel().sum());
    BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(3);
    Thread producer = new Thread(() -> {
      try {
        for (int i = 0; i < 100; i++) queue.put(i);
      } catch (InterruptedException e) { System.out.println("?"); }
    });
    producer.start();
    long taken = 0;
    for (int i = 0; i < 100; i++) taken += queue.take();
    System.out.println(taken);
    CountDownLatch latch = new CountDownLatch(1);
    Thread sleeper = new Thread(() -> {
      try {
        latch.countDown();
        Thread.sleep(1000000);
      } catch (InterruptedException e) { System.out.println("interrupted"); }
    });
    sleeper.start();
    latch.await();
    sleeper.interrupt();
    sleeper.join();
    ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
    System.out.println(timer.schedule(() -> "scheduled", 5, TimeUnit.MILLISECONDS).get());
    timer.shutdownNow();
  }
}
