// Abstract: Rust threads: channels, mutexes, condition variables, parking, scopes, barriers, panics.
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::Duration;

thread_local!(static OWN: Cell<usize> = const { Cell::new(5) });

fn main() {
    let (sender, receiver) = channel();
    for i in 0..4usize {
        let sender = sender.clone();
        thread::Builder::new()
            .name(format!("worker {i}"))
            .spawn(move || {
                OWN.with(|own| own.set(own.get() + i));
                for k in 0..100 {
                    sender.send(i * 100 + k).unwrap();
                }
                assert_eq!(thread::current().name(), Some(format!("worker {i}").as_str()));
                OWN.with(|own| assert_eq!(own.get(), 5 + i));
            })
            .unwrap();
    }
    drop(sender);
    println!("{}", receiver.iter().sum::<usize>());

    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let mut threads = Vec::new();
    for i in 0..4 {
        let pair = pair.clone();
        threads.push(thread::spawn(move || {
            let (lock, changes) = &*pair;
            let mut turn = changes.wait_while(lock.lock().unwrap(), |turn| *turn != i).unwrap();
            println!("turn {turn}");
            *turn += 1;
            changes.notify_all();
            i * i
        }));
    }
    println!("{}", threads.into_iter().map(|t| t.join().unwrap()).sum::<i32>());

    let (full, slow) = sync_channel(2);
    let producer = thread::spawn(move || (0..50).for_each(|i| full.send(i).unwrap()));
    println!("{}", slow.iter().sum::<i32>());
    producer.join().unwrap();

    let counter = AtomicUsize::new(0);
    let lock = RwLock::new(0);
    let barrier = Barrier::new(3);
    let once = Once::new();
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                barrier.wait();
                once.call_once(|| println!("once"));
                for _ in 0..200 {
                    counter.fetch_add(1, Ordering::Relaxed);
                    *lock.write().unwrap() += 1;
                    assert!(*lock.read().unwrap() > 0);
                }
            });
        }
    });
    println!("{} {}", counter.load(Ordering::Relaxed), lock.read().unwrap());

    let parked = thread::spawn(|| {
        thread::park();
        "unparked"
    });
    parked.thread().unpark();
    println!("{}", parked.join().unwrap());
    thread::park_timeout(Duration::from_millis(2));

    std::panic::set_hook(Box::new(|_| println!("panics")));
    let panics = thread::spawn(|| panic!("on purpose"));
    println!("{}", panics.join().is_err());

    let (quiet, nothing) = channel::<i32>();
    println!("{}", nothing.recv_timeout(Duration::from_millis(3)) == Err(RecvTimeoutError::Timeout));
    drop(quiet);
    static CELL: OnceLock<usize> = OnceLock::new();
    println!("{}", CELL.get_or_init(|| 9));
    thread::sleep(Duration::from_millis(20));
    println!("ok thread-rust");
}
