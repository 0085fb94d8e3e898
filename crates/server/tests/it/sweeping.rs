//! What a crash leaves among the objects is removed once it is old; what is listed never is.

use crate::books::Books;
use crate::installation::{FILES, FLAT, Installation, shop};
use crate::program::now;
use calendar::WallClock;
use serde_json::{Value, json};
use service::{Clocks, Config, Reckoner};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const SUBSCRIPTION: &str = "5b0d1e9a-0000-4000-8000-000000000001";
/// Every folder that the books list the files of.
const FOLDERS: [&str; 6] = ["usage", "rated", "rated_day", "rated_month", "extracts", "pages"];
const DAY_S: u64 = 24 * 3_600;

const FILE: &str = "SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,Currency,ChargeType\n\
    5b0d1e9a-0000-4000-8000-000000000001,2026-03-05,calls,2,0.2,USD,Usage\n";

/// An installation with files in every folder: sealed, rated, imported and pinned.
async fn filled() -> Installation {
    let installation = Installation::new(Books::Sqlite, "USD", &(shop(FLAT) + FILES));
    let file = installation.file("usage.csv", FILE);
    installation.import(&file, &["--source", "files", "--format", "azure-usage-details-csv"]);
    let key = installation.key("gate");
    let server = installation.serve(&[("RECKONER_LIMITS__PAGE_ROWS", "2")]);
    let event = |machine: u64| {
        let event = json!({
            "id": format!("e-{machine}"),
            "source": "gate",
            "subscription": SUBSCRIPTION,
            "resource": format!("machine-{machine}"),
            "meter": "calls",
            "quantity": "24",
            "start": "2026-03-01T00:00:00Z",
            "end": "2026-03-02T00:00:00Z",
            "reported_at": "2026-03-02T01:00:00Z",
        });
        event.to_string()
    };
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let body = (0..5).map(event).collect::<Vec<_>>().join("\n");
    let request = server.client.post(url).bearer_auth(key).body(body);
    let answer = request.header("content-type", "application/x-ndjson").send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    let token = installation.token(&server).await;
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Commerce/UsageAggregates\
         ?api-version=2015-06-01-preview&reportedStartTime=2026-03-02&reportedEndTime=2026-03-03"
    );
    let page = server.get(&path, Some(&token)).send().await.expect("an answer");
    let page: Value = page.json().await.expect("JSON");
    assert!(page["nextLink"].is_string(), "{page}");
    server.stop();
    installation
}

/// The files below a folder, by their paths from there.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(place) = folders.pop() {
        for entry in fs::read_dir(place).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_str().expect("text");
                found.insert(name.to_owned());
            }
        }
    }
    found
}

fn age(path: &Path, age_s: u64) {
    let micros = u64::try_from(now().micros()).expect("after 1970");
    let then = Duration::from_micros(micros) - Duration::from_secs(age_s);
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.set_modified(SystemTime::UNIX_EPOCH + then).expect("a time");
}

/// Leaves files as crashes do, of an age.
fn leave(objects: &Path, name: &str, age_s: u64) {
    for folder in FOLDERS {
        let place = objects.join(folder).join("202603");
        fs::create_dir_all(&place).expect("a folder");
        for name in [format!("{name}.parquet"), format!(".{name}.parquet.0.tmp")] {
            fs::write(place.join(&name), "half").expect("a file");
            age(&place.join(&name), age_s);
        }
    }
}

/// Opens the installation as a server does, and keeps house once.
async fn keep_house(installation: &Installation) {
    let clocks = Clocks { business: Arc::new(WallClock), system: Arc::new(WallClock) };
    let config = Config::new(installation.data());
    let reckoner = Reckoner::open(config, clocks).await.expect("an installation");
    reckoner.keep_house().await.expect("kept");
    reckoner.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_goes_when_it_is_old_and_what_is_listed_stays() {
    let installation = filled().await;
    let objects = installation.data().join("objects");
    let listed = files(&objects);
    for folder in FOLDERS {
        let is_there = |name: &String| name.starts_with(&format!("{folder}/"));
        assert!(listed.iter().any(is_there), "no file in {folder}: {listed:?}");
    }
    for name in &listed {
        age(&objects.join(name), 300 * DAY_S);
    }
    leave(&objects, "young", 600);
    fs::create_dir(objects.join("other")).expect("a folder");
    fs::write(objects.join("other/file"), "not ours").expect("a file");
    age(&objects.join("other/file"), DAY_S);
    let kept = files(&objects);
    assert_eq!(kept.len(), listed.len() + 2 * FOLDERS.len() + 1);
    leave(&objects, "old", DAY_S);
    assert_eq!(files(&objects).len(), kept.len() + 2 * FOLDERS.len());

    keep_house(&installation).await;
    assert_eq!(files(&objects), kept);
    let checked = installation.run(&["verify"]);
    assert!(checked.contains("; 0 problems") || checked.contains(", 0 problems"), "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_swept_by_books_that_the_objects_do_not_belong_to() {
    let installation = filled().await;
    let objects = installation.data().join("objects");
    for name in &files(&objects) {
        age(&objects.join(name), DAY_S);
    }
    let before = files(&objects);
    for name in ["books.db", "books.db-wal", "books.db-shm"] {
        // A clean stop leaves no journal.
        let _ = fs::remove_file(installation.data().join(name));
    }
    for name in ["log", "index"] {
        fs::remove_dir_all(installation.data().join(name)).expect("a folder");
    }
    keep_house(&installation).await;
    assert_eq!(files(&objects), before);
}

#[tokio::test]
async fn files_on_their_way_cannot_be_called_leftovers_by_configuration() {
    let directory = tempfile::tempdir().expect("a directory");
    let clocks = Clocks { business: Arc::new(WallClock), system: Arc::new(WallClock) };
    let mut config = Config::new(directory.path());
    config.limits.unlisted_seconds = 59;
    let refused = Reckoner::open(config, clocks).await.err().expect("a refusal").to_string();
    assert_eq!(refused, "limits.unlisted_seconds: must be at least 60");
}
