//! The usage log's place in PostgreSQL.

use super::{Fresh, at, on_postgres};
use crate::{LogTable, StoreError};
use domain::usage::Position;
use std::sync::Arc;
use usagelog::{Entry, EntryKind, Group, LogError, LogOptions, LogPlace, Placed, UsageLog};

fn place(fresh: &Fresh) -> LogTable {
    fresh.open().log_place().unwrap()
}

fn group(epoch: u32, first_sequence: u64, count: u32, bytes: &[u8]) -> Group<'_> {
    Group { shard: 2, epoch, first_sequence, count, bytes }
}

#[test]
fn with_sqlite_the_log_lies_in_files() {
    let refused = Fresh::sqlite().open().log_place();
    assert!(matches!(refused, Err(StoreError::Unsupported(_))));
}

#[test]
fn the_number_of_shards_is_fixed_when_the_log_is_made() {
    on_postgres(|fresh| {
        let place = place(fresh);
        place.begin(4).unwrap();
        place.begin(4).unwrap();
        let refused = place.begin(5);
        assert!(matches!(refused, Err(LogError::ShardCount { asked: 5, stored: 4 })));
    });
}

#[test]
fn groups_are_read_whole_from_the_one_that_holds_the_sequence() {
    on_postgres(|fresh| {
        let place = place(fresh);
        let opened = place.take(2).unwrap();
        assert_eq!((opened.epoch, opened.end), (1, 0));
        assert_eq!(place.read(2, 0, 100).unwrap().bytes, b"");
        place.append(group(1, 0, 3, b"aaa")).unwrap();
        place.append(group(1, 3, 1, b"b")).unwrap();
        place.append(group(1, 4, 2, b"cc")).unwrap();
        let read =
            |from, most| String::from_utf8(place.read(2, from, most).unwrap().bytes).unwrap();
        for (from, most, expected) in [
            (0, 100, "aaabcc"),
            (2, 100, "aaabcc"),
            (3, 100, "bcc"),
            (5, 100, "cc"),
            (6, 100, ""),
            (0, 0, "aaa"),
            (0, 4, "aaab"),
            (0, 5, "aaab"),
            (4, 1, "cc"),
        ] {
            assert_eq!(read(from, most), expected, "from {from}, at most {most}");
        }
        assert_eq!(place.read(1, 0, 100).unwrap().bytes, b"", "another shard");
        let opened = place.take(2).unwrap();
        assert_eq!((opened.epoch, opened.end), (2, 6));
        place.release(2, 6).unwrap();
    });
}

#[test]
fn an_old_owner_is_refused_and_no_sequence_is_skipped() {
    on_postgres(|fresh| {
        let (old, new) = (place(fresh), place(fresh));
        assert_eq!(old.take(2).unwrap().epoch, 1);
        old.append(group(1, 0, 2, b"a")).unwrap();
        let opened = new.take(2).unwrap();
        assert_eq!((opened.epoch, opened.end), (2, 2));
        let refused = old.append(group(1, 2, 1, b"old"));
        assert!(matches!(refused, Err(LogError::StaleEpoch { epoch: 1, current: 2, .. })));
        for (first, what) in [(1, "over what is there"), (3, "beyond the end")] {
            let refused = new.append(group(2, first, 1, b"new"));
            assert!(matches!(refused, Err(LogError::Damaged { .. })), "{what}: {refused:?}");
        }
        new.append(group(2, 2, 1, b"new")).unwrap();
        assert_eq!(new.read(2, 0, 100).unwrap().bytes, b"anew");
    });
}

#[test]
fn the_same_group_sent_again_is_appended_once() {
    on_postgres(|fresh| {
        let (old, new) = (place(fresh), place(fresh));
        old.take(2).unwrap();
        for _ in 0..3 {
            old.append(group(1, 0, 2, b"a")).unwrap();
        }
        new.take(2).unwrap();
        old.append(group(1, 0, 2, b"a")).unwrap();
        assert_eq!(new.read(2, 0, 100).unwrap().bytes, b"a");
    });
}

#[test]
fn an_append_outlives_a_broken_connection() {
    on_postgres(|fresh| {
        let place = place(fresh);
        place.take(2).unwrap();
        place.append(group(1, 0, 1, b"a")).unwrap();
        fresh.cut();
        place.append(group(1, 1, 1, b"b")).unwrap();
        assert_eq!(place.read(2, 0, 100).unwrap().bytes, b"ab");
    });
}

#[test]
fn groups_that_went_missing_are_damage() {
    on_postgres(|fresh| {
        let place = place(fresh);
        place.take(2).unwrap();
        place.append(group(1, 0, 1, b"a")).unwrap();
        place.append(group(1, 1, 1, b"b")).unwrap();
        fresh.tamper("DELETE FROM log_groups WHERE first_sequence = 1");
        assert!(matches!(place.take(2), Err(LogError::Damaged { offset: 1, .. })));
    });
}

#[test]
fn a_whole_usage_log_runs_on_the_table() {
    on_postgres(|fresh| {
        let index = tempfile::tempdir().unwrap();
        let options = LogOptions { shards: 2, ..LogOptions::new(index.path(), [7; 32]) };
        let open = || UsageLog::open(Arc::new(place(fresh)), options.clone()).unwrap();
        let entry = |key: &str, content: &str| {
            let (key, payload) = (key.as_bytes().to_vec(), content.as_bytes().to_vec());
            Entry::new(EntryKind::RECORD, key, content.as_bytes(), payload, &[7; 32])
        };
        let first = Position { shard: 1, sequence: 0, epoch: 1 };
        let log = open();
        let placed = log.append_wait(1, vec![entry("a", "1"), entry("a", "1")], at(0)).unwrap();
        assert_eq!(placed, [Placed::New(first), Placed::Duplicate(first)]);
        log.close().unwrap();
        drop(log);

        let log = open();
        let entries = vec![entry("a", "1"), entry("b", "1"), entry("a", "2")];
        let placed = log.append_wait(1, entries, at(1)).unwrap();
        let kept = Position { shard: 1, sequence: 2, epoch: 2 };
        assert_eq!(placed[0], Placed::Duplicate(first));
        assert_eq!(placed[2], Placed::Conflict { first, kept });
        assert_eq!(log.end(1), 3);
        let payloads: Vec<_> = log.read(1, 0).map(|logged| logged.unwrap().payload).collect();
        assert_eq!(payloads, [b"1", b"1", b"2"]);
        assert!(log.verify(|_, _, _| {}).unwrap().is_clean());
        log.close().unwrap();
    });
}
