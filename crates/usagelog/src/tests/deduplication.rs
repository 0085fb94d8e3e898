use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::mpsc;

/// Appends batches, parted by `|`; `R` restarts the log and `D` deletes its index meanwhile.
fn check(batches: &str, expected: &str) {
    let home = Home::new();
    let mut log = home.open();
    let mut said = Vec::new();
    for step in batches.split('|').map(str::trim) {
        match step {
            "R" | "D" => {
                drop(log);
                if step == "D" {
                    fs::remove_dir_all(home.dir.path().join("index")).unwrap();
                }
                log = home.open();
            }
            _ => said.push(append(&log, step)),
        }
    }
    assert_eq!(said.join(" | "), expected, "{batches}");
}

#[test]
fn a_key_counts_once_and_other_content_is_kept_apart_once() {
    check("a=1 b=1", "new 0, new 1");
    check("a=1 a=1", "new 0, dup 0");
    check("a=1 a=2", "new 0, conflict 1 of 0");
    check("a=1 a=2 a=2", "new 0, conflict 1 of 0, again 1");
    check("a=1 a=2 a=1", "new 0, conflict 1 of 0, dup 0");
    check("a=1 a=2 a=3", "new 0, conflict 1 of 0, conflict 2 of 0");
    check("a=1 | a=1", "new 0 | dup 0");
    check("a=1 | a=2 | a=2", "new 0 | conflict 1 of 0 | again 1");
    check("a=1 b=1 | a=2 b=1 c=1", "new 0, new 1 | conflict 2 of 0, dup 1, new 3");
    check("a=1 a=2 | R | a=1 a=2 a=3", "new 0, conflict 1 of 0 | dup 0, again 1, conflict 2 of 0");
    check("a=1 a=2 | D | a=1 a=2 b=1", "new 0, conflict 1 of 0 | dup 0, again 1, new 2");
    check("a=1 | R | b=1 | R | a=2 b=1", "new 0 | new 1 | conflict 2 of 0, dup 1");
}

#[test]
fn an_empty_batch_is_answered_and_writes_nothing() {
    let home = Home::new();
    let log = home.open();
    assert_eq!(append(&log, ""), "");
    assert_eq!(log.end(0), 0);
}

#[test]
fn positions_carry_the_epoch_in_which_they_were_written() {
    let home = Home::new();
    append(&home.open(), "a=1");
    let log = home.open();
    let placed = log.append_wait(0, batch("a=1 a=2 b=1"), Instant::EPOCH).unwrap();
    let conflict = Placed::Conflict { first: at(0, 1), kept: at(1, 2) };
    assert_eq!(placed, [Placed::Duplicate(at(0, 1)), conflict, Placed::New(at(2, 2))]);
    let kept = log.get(at(1, 2)).unwrap().unwrap();
    assert_eq!((kept.conflict_of, kept.position), (Some(at(0, 1)), at(1, 2)));
    assert_eq!(log.get(at(1, 1)).unwrap(), None);
    assert_eq!(log.get(at(3, 2)).unwrap(), None);
    assert_eq!(find(&log, "a"), Some(0));
    assert_eq!(find(&log, "nobody"), None);
}

#[test]
fn keys_whose_hashes_collide_are_told_apart() {
    let home = Home::new();
    let log = home.open();
    let mut other = entry("b", "1");
    other.key_hash = entry("a", "1").key_hash;
    let first = log.append_wait(0, vec![entry("a", "1"), other.clone()], Instant::EPOCH).unwrap();
    assert_eq!(say(&first), "new 0, new 1");
    let mut changed = entry("b", "2");
    changed.key_hash = other.key_hash;
    let again = log.append_wait(0, vec![entry("a", "1"), other, changed], Instant::EPOCH).unwrap();
    assert_eq!(say(&again), "dup 0, dup 1, conflict 2 of 1");
}

#[test]
fn what_was_written_is_read_back_with_its_time_and_kind() {
    let home = Home::new();
    let log = home.open();
    let odd = Entry { kind: EntryKind::UNREADABLE, ..entry("b", "1") };
    log.append_wait(0, vec![entry("a", "1"), odd], Instant::from_micros(7)).unwrap();
    log.append_wait(0, batch("c=1"), Instant::from_micros(8)).unwrap();
    let read: Vec<_> = log.read(0, 1).map(Result::unwrap).collect();
    let shown: Vec<_> =
        read.iter().map(|l| (l.position.sequence, l.acknowledged_at.micros(), l.kind.0)).collect();
    assert_eq!(shown, [(1, 7, 1), (2, 8, 0)]);
    assert_eq!(read[0].payload, b"b=1");
    assert_eq!(log.read(0, 3).count(), 0);
}

#[test]
fn a_reader_goes_on_with_what_became_durable_meanwhile() {
    let home = Home::new();
    let log = home.open();
    append(&log, "a=1");
    let mut reader = log.read(0, 0);
    assert!(reader.next().is_some());
    assert!(reader.next().is_none());
    append(&log, "b=1");
    assert_eq!(reader.next().unwrap().unwrap().payload, b"b=1");
}

#[test]
fn a_billing_account_always_has_the_same_shard() {
    let shards: Vec<u16> = ["a", "b", "c", "d"].map(|name| crate::shard_of(name, 16)).to_vec();
    assert_eq!(shards, [3, 15, 0, 7], "a change of this loses every account its history");
}

#[derive(Debug, Clone)]
enum Step {
    /// Batches that are sent together, so that they may share a group.
    Burst(Vec<Vec<(u8, u8)>>),
    Restart,
    DeleteIndex,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = prop::collection::vec((0_u8..24, 0_u8..3), 0..12);
    let step = prop_oneof![
        6 => prop::collection::vec(batch, 1..5).prop_map(Step::Burst),
        2 => Just(Step::Restart),
        1 => Just(Step::DeleteIndex),
    ];
    prop::collection::vec(step, 1..10)
}

/// The slow and simple log: sequence of each first and of each kept conflict.
#[derive(Default)]
struct Model {
    first: HashMap<u8, (u8, u64)>,
    kept: HashMap<(u8, u8), u64>,
    end: u64,
}

impl Model {
    fn place(&mut self, key: u8, content: u8) -> String {
        let Some((known, first)) = self.first.get(&key).copied() else {
            self.first.insert(key, (content, self.end));
            self.end += 1;
            return format!("new {}", self.end - 1);
        };
        if known == content {
            return format!("dup {first}");
        }
        if let Some(kept) = self.kept.get(&(key, content)) {
            return format!("again {kept}");
        }
        self.kept.insert((key, content), self.end);
        self.end += 1;
        format!("conflict {} of {first}", self.end - 1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn deduplication_holds_under_any_mix(steps in steps(), run_entries in 1_usize..12) {
        let home = Home { run_entries, file_bytes: 600, ..Home::new() };
        let mut log = home.open();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Burst(batches) => {
                    let (sender, answers) = mpsc::channel();
                    for batch in &batches {
                        let sender = sender.clone();
                        let entries = batch.iter();
                        let entries = entries.map(|(k, c)| entry(&k.to_string(), &c.to_string()));
                        let done = Box::new(move |placed| sender.send(placed).unwrap());
                        log.append(0, entries.collect(), Instant::EPOCH, done);
                    }
                    for batch in batches {
                        let placed = answers.recv().unwrap().unwrap();
                        let expected: Vec<_> =
                            batch.iter().map(|(k, c)| model.place(*k, *c)).collect();
                        prop_assert_eq!(say(&placed), expected.join(", "));
                    }
                }
                Step::Restart | Step::DeleteIndex => {
                    drop(log);
                    if matches!(step, Step::DeleteIndex) {
                        fs::remove_dir_all(home.dir.path().join("index")).unwrap();
                    }
                    log = home.open();
                }
            }
        }
        prop_assert_eq!(log.end(0), model.end);
        let report = log.verify(|_, _, _| {}).unwrap();
        prop_assert!(report.is_clean());
        let conflicts = log.read(0, 0).filter(|l| l.as_ref().unwrap().conflict_of.is_some());
        prop_assert_eq!(conflicts.count(), model.kept.len());
        for (key, (_, first)) in &model.first {
            prop_assert_eq!(find(&log, &key.to_string()), Some(*first));
        }
    }
}
