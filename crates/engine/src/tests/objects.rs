//! Files and other objects: whole, durable, checked, and named when they are not.

use std::fs;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::{House, Row, SCHEMA};
use crate::{Error, Input, Measure, Query};

fn count(inputs: Vec<Input>) -> Query {
    Query {
        schema: SCHEMA.clone(),
        inputs,
        filters: vec![],
        group_by: vec![],
        measures: vec![Measure::Count, Measure::Sum("unit")],
        order_by: vec![],
        limit: None,
        max_groups: 1,
    }
}

fn many() -> Vec<Row> {
    (0..5_000).map(|n| Row { account: n / 7, unit: i64::from(n), ..Row::default() }).collect()
}

#[tokio::test]
async fn a_damaged_file_is_found_by_check() {
    let house = House::new();
    let facts = house.write("a/b", &many()).await;
    house.engine.check(&facts).await.unwrap();
    let path = house.folder.path().join("objects/a/b");
    let sound = fs::read(&path).unwrap();
    let check = |bytes: &[u8], wanted: &str| {
        fs::write(&path, bytes).unwrap();
        let engine = house.engine.clone();
        let facts = facts.clone();
        let wanted = wanted.to_owned();
        async move {
            let error = engine.check(&facts).await.unwrap_err();
            assert_eq!(error.to_string(), wanted);
        }
    };
    let mut flipped = sound.clone();
    flipped[100] ^= 1;
    check(&flipped, "object `a/b` is damaged: its bytes have another hash").await;
    let shorter = format!("object `a/b` is damaged: {} bytes, not {}", 10, sound.len());
    check(&sound[..10], &shorter).await;
}

#[tokio::test]
async fn a_question_names_the_file_that_is_missing_or_damaged() {
    let house = House::new();
    let sound = house.write("sound", &many()).await;
    let broken = house.write("broken", &many()).await;
    let question = count(vec![Input::file(sound), Input::file(broken.clone())]);
    let path = house.folder.path().join("objects/broken");
    fs::write(&path, vec![7_u8; usize::try_from(broken.bytes).unwrap()]).unwrap();
    let error = house.engine.query(&question).await.unwrap_err();
    assert!(matches!(&error, Error::Damaged { path, .. } if path == "broken"), "{error:?}");
    fs::remove_file(&path).unwrap();
    let error = house.engine.query(&question).await.unwrap_err();
    assert!(matches!(&error, Error::Missing { path } if path == "broken"), "{error:?}");
}

#[tokio::test]
async fn a_path_written_again_shows_the_new_rows() {
    let house = House::new();
    let mut rows = many();
    for round in 0..3 {
        rows.push(Row { account: round, unit: 1, ..Row::default() });
        let facts = house.write("same", &rows).await;
        let answer = house.engine.query(&count(vec![Input::file(facts)])).await.unwrap();
        let counted = answer.into_rows().unwrap();
        assert_eq!(counted.i64("count").unwrap().values(), [i64::try_from(rows.len()).unwrap()]);
    }
}

#[tokio::test]
async fn objects_of_any_kind_come_and_go() {
    let House { engine, folder } = &House::new();
    assert!(!engine.exists("x/y.pdf").await.unwrap());
    assert!(matches!(engine.get("x/y.pdf").await, Err(Error::Missing { .. })));
    engine.put("x/y.pdf", Bytes::from_static(b"one")).await.unwrap();
    engine.put("x/y.pdf", Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(engine.get("x/y.pdf").await.unwrap(), "two");
    let names = fs::read_dir(folder.path().join("objects/x")).unwrap();
    assert_eq!(names.count(), 1, "nothing temporary stays");
    engine.delete("x/y.pdf").await.unwrap();
    engine.delete("x/y.pdf").await.unwrap();
    assert!(!engine.exists("x/y.pdf").await.unwrap());
    assert!(!folder.path().join("objects/x").exists(), "a folder goes with its last object");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_goes_holds_no_writer_up() {
    let House { engine, folder: _folder } = &House::new();
    let tasks = (0..4).map(|task| {
        let engine = engine.clone();
        tokio::spawn(async move {
            for round in 0..50 {
                let path = format!("a/b/{task}-{round}");
                engine.put(&path, Bytes::new()).await.unwrap();
                assert!(engine.exists(&path).await.unwrap());
                engine.delete(&path).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// Makes a file as old as `age` before `now`.
fn age(path: &std::path::Path, now: SystemTime, age_s: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(now - Duration::from_secs(age_s)).unwrap();
}

#[tokio::test]
async fn old_files_are_found_and_removed_unless_they_are_written_again() {
    let House { engine, folder } = &House::new();
    let objects = folder.path().join("objects");
    for path in ["a/young", "a/old", "b/c/again"] {
        engine.put(path, Bytes::new()).await.unwrap();
    }
    // What a write leaves that a crash cut off.
    fs::write(objects.join("b/.object.parquet.0.tmp"), "half").unwrap();
    let now = fs::metadata(objects.join("a/young")).unwrap().modified().unwrap();
    for path in ["a/old", "b/c/again", "b/.object.parquet.0.tmp"] {
        age(&objects.join(path), now, 100);
    }
    let before = now - Duration::from_secs(50);
    let found = engine.old_files(before).await.unwrap();
    let shown: Vec<_> = found.iter().map(|file| (file.path.as_str(), file.is_staged)).collect();
    assert_eq!(shown, [("a/old", false), ("b/.object.parquet.0.tmp", true), ("b/c/again", false)]);
    engine.put("b/c/again", Bytes::new()).await.unwrap();
    let mut removed = Vec::new();
    for file in found {
        removed.push(engine.remove_old(file, before).await.unwrap());
    }
    assert_eq!(removed, [true, true, false]);
    assert!(engine.exists("a/young").await.unwrap() && engine.exists("b/c/again").await.unwrap());
    assert!(!engine.exists("a/old").await.unwrap());
    assert_eq!(engine.old_files(before).await.unwrap(), []);
}

#[tokio::test]
async fn paths_mean_the_same_in_every_store() {
    let house = House::new();
    for path in ["", "/a", "a/", "a//b", "../a", "a/.b", "a b", "a%2f", "ä"] {
        let error = house.engine.put(path, Bytes::new()).await.unwrap_err();
        assert!(matches!(error, Error::Path { .. }), "{path}: {error}");
    }
    house.engine.put("rated/2026-03/bucket=7.parquet", Bytes::new()).await.unwrap();
}

#[tokio::test]
async fn rows_of_a_file_are_sorted_with_nulls_last() {
    let house = House::new();
    let campaign = |campaign| Row { campaign, ..Row::default() };
    let rows = [campaign(None), campaign(Some(2)), campaign(Some(-1)), campaign(None)];
    let rows = super::rows_of(&rows);
    let facts = house.engine.write("s", vec![rows], &["campaign"]).await.unwrap();
    let scan = crate::Scan {
        schema: SCHEMA.clone(),
        inputs: vec![Input::file(facts.into())],
        filters: vec![],
        columns: vec!["campaign"],
        order_by: vec![],
        limit: None,
    };
    let read = house.engine.scan(&scan).await.unwrap().collect().await.unwrap();
    let read: Vec<Option<i64>> = read.i64("campaign").unwrap().iter().collect();
    assert_eq!(read, [Some(-1), Some(2), None, None]);
}

#[tokio::test]
async fn an_unknown_sort_column_or_no_rows_at_all_is_refused() {
    let house = House::new();
    let rows = vec![super::rows_of(&many())];
    let unknown = house.engine.write("a", rows, &["nothing"]).await.unwrap_err();
    assert_eq!(unknown.to_string(), "column `nothing`: is not in the schema");
    assert!(house.engine.write("a", vec![], &[]).await.is_err());
}
