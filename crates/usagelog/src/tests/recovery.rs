use super::*;

/// A log of three groups, as a crash leaves it, and where its groups begin.
fn three_groups() -> (Home, Vec<usize>) {
    let home = Home::new();
    let log = home.open();
    let mut begins = vec![0];
    for text in ["a=1 b=1", "c=1", "d=1 a=2"] {
        append(&log, text);
        begins.push(usize::try_from(home.files(".log")[0].metadata().unwrap().len()).unwrap());
    }
    (home.crashed(), begins)
}

#[test]
fn a_last_group_torn_at_any_byte_is_cut_off_and_nothing_else() {
    let (image, begins) = three_groups();
    let bytes = fs::read(&image.files(".log")[0]).unwrap();
    for torn in begins[2]..bytes.len() {
        let home = image.crashed();
        fs::write(&home.files(".log")[0], &bytes[..torn]).unwrap();
        let log = home.open();
        assert_eq!(payloads(&log), "a=1 b=1 c=1", "torn at {torn}");
        assert_eq!(append(&log, "d=1 a=2 c=1"), "new 3, conflict 4 of 0, dup 2", "torn at {torn}");
    }
}

#[test]
fn a_last_group_whose_bytes_never_reached_the_disk_is_cut_off() {
    let (image, begins) = three_groups();
    let bytes = fs::read(&image.files(".log")[0]).unwrap();
    for lost in begins[2]..bytes.len() {
        let home = image.crashed();
        let mut torn = bytes.clone();
        torn[lost..].fill(0);
        if torn == bytes {
            continue;
        }
        fs::write(&home.files(".log")[0], &torn).unwrap();
        assert_eq!(payloads(&home.open()), "a=1 b=1 c=1", "lost from {lost}");
    }
}

#[test]
fn damage_before_the_last_group_is_an_error_that_names_file_and_offset() {
    let (image, begins) = three_groups();
    for offset in 0..begins[2] {
        let home = image.crashed();
        flip(&home.files(".log")[0], offset, 1);
        let error = home.try_open().err().expect("damage is no torn tail");
        let group = begins.iter().rev().find(|begin| **begin <= offset).unwrap();
        let expected = format!("00000000000000000000.log is damaged at byte {group}: ");
        assert!(error.to_string().contains(&expected), "{offset}: {error}");
    }
}

#[test]
fn what_was_noted_as_durable_is_never_cut_off() {
    let home = Home::new();
    append(&home.open(), "a=1 b=1");
    let file = &home.files(".log")[0];
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
    let error = home.crashed().try_open().err().unwrap().to_string();
    assert!(error.contains("it ends at sequence 0 and once reached 2"), "{error}");
}

#[test]
fn verify_finds_every_flipped_bit() {
    let home = Home { file_bytes: 200, ..Home::new() };
    let log = home.open();
    ["a=1 b=1", "c=1", "d=1 a=2"].iter().for_each(|text| drop(append(&log, text)));
    let report = log.verify(|_, _, _| {}).unwrap();
    let shard = &report.shards[0];
    assert_eq!((shard.groups, shard.entries, shard.conflicts), (3, 5, 1));
    assert!(report.is_clean());
    for file in home.files(".log") {
        for offset in 0..fs::read(&file).unwrap().len() {
            for mask in [1, 0x80] {
                flip(&file, offset, mask);
                let damaged = !log.verify(|_, _, _| {}).unwrap().is_clean();
                flip(&file, offset, mask);
                assert!(damaged, "{} byte {offset} mask {mask}", file.display());
            }
        }
    }
    assert!(log.verify(|_, _, _| {}).unwrap().is_clean());
}

#[test]
fn files_follow_each_other_and_lost_marks_are_made_again() {
    let home = Home { file_bytes: 300, ..Home::new() };
    let log = home.open();
    (0..20).for_each(|n| drop(append(&log, &format!("k{n}=1"))));
    let all = payloads(&log);
    assert!(home.files(".log").len() > 3, "{:?}", home.files(".log"));
    drop(log);
    home.files(".marks").iter().for_each(|path| fs::remove_file(path).unwrap());
    let log = home.open();
    assert_eq!(payloads(&log), all);
    assert_eq!(append(&log, "k3=1 k20=1"), "dup 3, new 20");
    drop(log);
    home.files(".marks").iter().for_each(|path| flip(path, 9, 1));
    assert_eq!(home.open().end(0), 21);
}

#[test]
fn a_missing_file_is_an_error() {
    let home = Home { file_bytes: 1, ..Home::new() };
    let log = home.open();
    (0..3).for_each(|n| drop(append(&log, &format!("k{n}=1"))));
    drop(log);
    for (number, expected) in [(1, "ends at sequence 1"), (0, "ends at sequence 0")] {
        let broken = home.crashed();
        fs::remove_file(&broken.files(".log")[number]).unwrap();
        let error = broken.try_open().err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    fs::remove_file(&home.files(".log")[2]).unwrap();
    assert!(home.try_open().err().unwrap().to_string().contains("once reached 3"));
}

#[test]
fn a_second_opener_is_refused_while_the_first_lives() {
    let home = Home::new();
    let log = home.open();
    assert!(matches!(home.place(), Err(LogError::Locked { .. })));
    let elsewhere = Arc::new(Home::new().place().unwrap());
    assert!(matches!(UsageLog::open(elsewhere, home.options()), Err(LogError::Locked { .. })));
    drop(log);
    assert!(home.try_open().is_ok());
}

#[test]
fn every_opening_takes_a_later_epoch_and_an_earlier_one_is_refused() {
    let place = Home::new().place().unwrap();
    assert_eq!(place.take(0).unwrap().epoch, 1);
    let opened = place.take(0).unwrap();
    assert_eq!((opened.epoch, opened.end), (2, 0));
    let group = |epoch| crate::Group { shard: 0, epoch, first_sequence: 0, count: 1, bytes: b"" };
    let stale = place.append(group(1));
    assert!(matches!(stale, Err(LogError::StaleEpoch { epoch: 1, current: 2, .. })));
}

#[test]
fn a_log_opens_only_as_it_was_made() {
    let home = Home::new();
    append(&home.open(), "a=1");
    let open = |options| UsageLog::open(Arc::new(home.place().unwrap()), options).err().unwrap();
    let shards = LogOptions { shards: 2, ..home.options() };
    assert!(matches!(open(shards), LogError::ShardCount { asked: 2, stored: 1 }));
    let secret = LogOptions { hash_key: [1; 32], ..home.options() };
    assert!(matches!(open(secret), LogError::WrongHashKey { shard: 0 }));
    fs::remove_file(&home.files("epoch")[0]).unwrap();
    assert!(matches!(open(home.options()), LogError::Damaged { .. }));
}

#[test]
fn a_log_may_end_with_the_last_answer_of_its_own_writer() {
    let home = Home::new();
    let log = Arc::new(home.open());
    let held = Arc::clone(&log);
    let (let_go, go) = std::sync::mpsc::channel();
    let (tell, told) = std::sync::mpsc::channel();
    let done = Box::new(move |placed: std::result::Result<Vec<Placed>, Arc<LogError>>| {
        go.recv().unwrap();
        drop(held);
        tell.send(placed.is_ok()).unwrap();
    });
    log.append(0, batch("a=1"), Instant::EPOCH, done);
    drop(log);
    let_go.send(()).unwrap();
    assert_eq!(told.recv(), Ok(true));
}
