use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

fn copied(home: &Home) -> Result<Home, LogError> {
    let copy = Home { dir: TempDir::new().unwrap(), ..*home };
    FilePlace::copy(&home.dir.path().join("log"), &copy.dir.path().join("log"))?;
    Ok(copy)
}

/// Tells the appending thread to end, whatever became of the copies.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Entries of one batch, of which one at a time is being written.
const BATCH: u64 = 3;

/// Batches appended while one copy is made, so that the log grows with the copies and no faster.
const BATCHES: u64 = 60;

#[test]
fn a_copy_taken_under_appends_holds_what_was_durable_before_and_nothing_half() {
    // Small files: the copy meets files that are being followed by the next.
    let home = Home { file_bytes: 4_096, ..Home::new() };
    let log = home.open();
    let (durable, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let copies = AtomicU64::new(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                append(&log, &format!("a{number}=1 b{number}=1 c{number}=1"));
                durable.store(BATCH * (number + 1), Ordering::SeqCst);
                while number >= BATCHES * copies.load(Ordering::SeqCst) {
                    if done.load(Ordering::SeqCst) {
                        return;
                    }
                    thread::yield_now();
                }
                if done.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let _end = End(&done);
        for _ in 0..10 {
            let before = durable.load(Ordering::SeqCst);
            let copy = copied(&home).unwrap();
            // A batch is in its file before the log tells its end and acknowledges it.
            let after = log.end(0) + BATCH;
            let opened = copy.open();
            let end = opened.end(0);
            assert!((before..=after).contains(&end), "{before} {end} {after}");
            assert_eq!(end % BATCH, 0, "a batch is there whole or not at all");
            assert_eq!(opened.read(0, 0).map(Result::unwrap).count() as u64, end);
            let report = opened.verify(|_, _, _| {}).unwrap();
            assert!(report.shards.iter().all(|shard| shard.damage.is_none()), "{report:?}");
            copies.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert!(home.files(".log").len() > 2, "several files");
}

#[test]
fn a_key_of_the_copied_log_counts_once_in_the_copy() {
    let home = Home::new();
    append(&home.open(), "a=1 b=1");
    let copy = copied(&home).unwrap();
    let log = copy.open();
    assert_eq!(append(&log, "a=1 b=2 c=1"), "dup 0, conflict 2 of 1, new 3");
    assert_eq!(payloads(&log), "a=1 b=1 b=2 c=1");
    assert_eq!(log.get(at(2, 1)).unwrap(), None, "the copy goes on with an epoch of its own");
    assert!(log.get(at(2, 2)).unwrap().is_some());
}

#[test]
fn a_group_half_written_is_left_out_and_a_damaged_one_is_an_error() {
    let home = Home::new();
    let log = home.open();
    append(&log, "a=1");
    let first = usize::try_from(home.files(".log")[0].metadata().unwrap().len()).unwrap();
    append(&log, "b=1");
    let image = home.crashed();
    let path = image.files(".log")[0].clone();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(payloads(&copied(&image).unwrap().open()), "a=1");
    assert_eq!(fs::read(&path).unwrap().len(), bytes.len() - 1, "the source is not touched");
    fs::write(&path, &bytes).unwrap();
    flip(&path, first - 1, 1);
    assert!(matches!(copied(&image).err(), Some(LogError::Damaged { .. })));
    let shorter = home.crashed();
    drop(shorter.open());
    fs::write(&shorter.files(".log")[0], &bytes[..first]).unwrap();
    let error = copied(&shorter).err().expect("it once reached further");
    assert!(error.to_string().contains("it ends at sequence 1 and once reached 2"), "{error}");
}
