use super::*;
use crate::{Chunk, Group, Health, Opened};
use std::io;
use std::sync::Mutex;
use std::sync::mpsc;

/// A place that fails the next appends as told.
struct Failing {
    place: FilePlace,
    failures: Mutex<Vec<LogError>>,
}

impl LogPlace for Failing {
    fn begin(&self, shards: u16) -> Result<(), LogError> {
        self.place.begin(shards)
    }
    fn take(&self, shard: u16) -> Result<Opened, LogError> {
        self.place.take(shard)
    }
    fn append(&self, group: Group<'_>) -> Result<(), LogError> {
        match self.failures.lock().unwrap().pop() {
            Some(failure) => Err(failure),
            None => self.place.append(group),
        }
    }
    fn read(&self, shard: u16, from: u64, most_bytes: usize) -> Result<Chunk, LogError> {
        self.place.read(shard, from, most_bytes)
    }
    fn release(&self, shard: u16, end: u64) -> Result<(), LogError> {
        self.place.release(shard, end)
    }
}

fn fails_with(kind: io::ErrorKind) -> (Home, UsageLog) {
    let home = Home::new();
    let failure = LogError::io("appending to", Path::new("x"), io::Error::from(kind));
    let place = Failing { place: home.place().unwrap(), failures: Mutex::new(vec![failure]) };
    let log = UsageLog::open(Arc::new(place), home.options()).unwrap();
    (home, log)
}

#[test]
fn a_full_disk_refuses_usage_until_there_is_room_again() {
    let (_home, log) = fails_with(io::ErrorKind::StorageFull);
    let error = log.append_wait(0, batch("a=1"), Instant::EPOCH).unwrap_err();
    assert!(error.is_passing() && !error.is_fatal(), "{error}");
    assert!(matches!(log.health(), Health::ReadOnly));
    assert_eq!((log.end(0), find(&log, "a")), (0, None));
    assert_eq!(append(&log, "a=1"), "new 0");
    assert!(matches!(log.health(), Health::Well));
}

#[test]
fn after_a_failed_write_nothing_is_acknowledged_any_more() {
    let (home, log) = fails_with(io::ErrorKind::Other);
    let error = log.append_wait(0, batch("a=1"), Instant::EPOCH).unwrap_err();
    assert!(matches!(&*error, LogError::Io { .. }) && error.is_fatal(), "{error}");
    assert!(matches!(log.health(), Health::Stopped(_)));
    let error = log.append_wait(0, batch("b=1"), Instant::EPOCH).unwrap_err();
    assert!(matches!(&*error, LogError::Stopped { .. }) && error.is_fatal(), "{error}");
    drop(log);
    assert_eq!(append(&home.open(), "b=1"), "new 0");
}

#[test]
fn more_than_may_wait_is_refused_at_once() {
    let home = Home::new();
    let options = LogOptions { queue_bytes: 500, ..home.options() };
    let log = UsageLog::open(Arc::new(home.place().unwrap()), options).unwrap();
    // The first batch's answer is held back, and with it the writer.
    let (hold, held) = mpsc::sync_channel::<()>(0);
    let (entered, enter) = mpsc::channel();
    let wait = move |_| {
        entered.send(()).unwrap();
        held.recv().unwrap();
    };
    log.append(0, batch("a=1"), Instant::EPOCH, Box::new(wait));
    enter.recv().unwrap();
    let (sender, answers) = mpsc::channel();
    for n in 0..10 {
        let sender = sender.clone();
        let done = Box::new(move |placed: Result<_, Arc<LogError>>| {
            sender.send(placed.map_err(|e| e.is_passing())).unwrap();
        });
        log.append(0, batch(&format!("k{n}=1")), Instant::EPOCH, done);
    }
    let refused = answers.try_iter().filter(|answer| *answer == Err(true)).count();
    assert!((1..10).contains(&refused), "{refused}");
    hold.send(()).unwrap();
    let placed = answers.iter().take(10 - refused).filter(Result::is_ok).count();
    assert_eq!(placed, 10 - refused);
    assert_eq!(append(&log, "z=1"), format!("new {}", 11 - refused));
}

#[test]
fn what_the_format_cannot_hold_is_refused() {
    let home = Home::new();
    let log = home.open();
    let check = |entry: Entry, expected: &str| {
        let error = log.append_wait(0, vec![entry], Instant::EPOCH).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    let make = |key, payload: Vec<u8>| Entry::new(EntryKind::RECORD, key, b"", payload, &HASH_KEY);
    check(make(vec![0; 65_536], vec![]), "a key of 65536 bytes is too large; at most 65535");
    check(make(vec![], vec![0; (16 << 20) + 1]), "an entry of 16777217 bytes is too large");
    let largest = make(vec![0; 65_535], vec![0; 16 << 20]);
    assert_eq!(say(&log.append_wait(0, vec![largest], Instant::EPOCH).unwrap()), "new 0");
    assert!(matches!(
        &*log.append_wait(1, vec![], Instant::EPOCH).unwrap_err(),
        LogError::NoShard { shard: 1, shards: 1 }
    ));
}

#[test]
fn a_closed_log_refuses_and_has_written_what_waited() {
    let home = Home::new();
    let log = home.open();
    let (sender, answers) = mpsc::channel();
    for n in 0..20 {
        let sender = sender.clone();
        let done = Box::new(move |placed| sender.send(placed).unwrap());
        log.append(0, batch(&format!("k{n}=1")), Instant::EPOCH, done);
    }
    log.close().unwrap();
    assert_eq!(answers.try_iter().filter(|placed| placed.is_ok()).count(), 20);
    let error = log.append_wait(0, batch("z=1"), Instant::EPOCH).unwrap_err();
    assert!(matches!(&*error, LogError::Closed));
    assert_eq!(log.read(0, 0).count(), 20);
}

/// What seals up to a position relies on it: who is answered later must not be passed over.
#[test]
fn an_entry_counts_as_answered_only_after_its_batch_was() {
    let home = Home::new();
    let log = Arc::new(home.open());
    let (tell, told) = mpsc::channel();
    let seen = Arc::clone(&log);
    let done = Box::new(move |placed: Result<Vec<_>, _>| {
        placed.unwrap();
        tell.send((seen.answered(0), seen.end(0))).unwrap();
    });
    log.append(0, batch("a=1 b=2"), Instant::EPOCH, done);
    assert_eq!(told.recv().unwrap(), (0, 2), "durable, and not answered yet");
    // The next answer comes after the end of the one before.
    assert_eq!(append(&log, "c=3"), "new 2");
    assert!(log.answered(0) >= 2);
}
