use super::*;

fn numbered(from: u64, to: u64) -> Vec<Entry> {
    (from..to).map(|n| entry(&format!("key-{n}"), "1")).collect()
}

/// A log of 5,000 keys in runs of about 200, and its home.
fn many_runs() -> (Home, UsageLog) {
    let home = Home { run_entries: 200, ..Home::new() };
    let log = home.open();
    for n in 0..100 {
        let placed = log.append_wait(0, numbered(n * 50, n * 50 + 50), Instant::EPOCH).unwrap();
        assert_eq!(placed[49], Placed::New(at(n * 50 + 49, 1)));
    }
    (home, log)
}

fn all_are_known(log: &UsageLog) {
    let placed = log.append_wait(0, numbered(0, 5001), Instant::EPOCH).unwrap();
    for (n, placed) in placed[..5000].iter().enumerate() {
        let sequence = u64::try_from(n).unwrap();
        assert!(matches!(placed, Placed::Duplicate(at) if at.sequence == sequence), "{placed:?}");
    }
    assert_eq!(word(&placed[5000]), "new 5000");
}

#[test]
fn keys_are_found_in_tables_runs_and_merged_runs() {
    let (home, log) = many_runs();
    all_are_known(&log);
    drop(log);
    let runs = home.files(".run").len();
    assert!((1..25).contains(&runs), "25 tables were written and some of them merged: {runs}");
}

#[test]
fn only_what_the_runs_do_not_cover_is_read_at_the_start() {
    let (home, log) = many_runs();
    drop(log);
    let newest = home.files(".run").pop().unwrap();
    let covered = crate::index::Index::open(newest.parent().unwrap(), 200, |_| Ok(None)).unwrap();
    assert_eq!(covered.covered(), 0, "runs of another log are not believed");
    drop(covered);
    assert_eq!(home.files(".run").len(), 0, "and they are deleted");
    all_are_known(&home.open());
}

#[test]
fn a_deleted_index_is_made_again() {
    let (home, log) = many_runs();
    drop(log);
    for file in home.files(".run") {
        let broken = home.crashed();
        fs::remove_file(broken.dir.path().join(file.strip_prefix(home.dir.path()).unwrap()))
            .unwrap();
        all_are_known(&broken.open());
    }
    fs::remove_dir_all(home.dir.path().join("index")).unwrap();
    all_are_known(&home.open());
}

#[test]
fn the_index_of_another_history_is_not_believed() {
    let (home, log) = many_runs();
    drop(log);
    let other = Home { run_entries: 200, ..Home::new() };
    let log = other.open();
    for n in 200..300 {
        log.append_wait(0, numbered(n * 50, n * 50 + 50), Instant::EPOCH).unwrap();
    }
    drop(log);
    fs::remove_dir_all(other.dir.path().join("index")).unwrap();
    copy(&home.dir.path().join("index"), &other.dir.path().join("index"));
    let log = other.open();
    assert_eq!(word(&log.append_wait(0, numbered(0, 1), Instant::EPOCH).unwrap()[0]), "new 5000");
    let known = log.append_wait(0, numbered(10_000, 10_001), Instant::EPOCH).unwrap();
    assert_eq!(word(&known[0]), "dup 0");
}

#[test]
fn a_damaged_run_stops_the_log_and_is_made_again() {
    let (home, log) = many_runs();
    drop(log);
    let runs = home.files(".run");
    let length = usize::try_from(runs[0].metadata().unwrap().len()).unwrap();
    // In the tail it is found at the start, in a page when the page is read.
    for offset in [100, length - 3] {
        let broken = home.crashed();
        flip(&broken.files(".run")[0], offset, 4);
        let log = broken.open();
        if offset == 100 {
            let report = log.verify(|_, _, _| {}).unwrap();
            assert!(matches!(report.shards[0].damage, Some(LogError::Damaged { .. })));
        }
        drop(log);
        all_are_known(&broken.open());
    }
}
