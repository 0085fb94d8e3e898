use super::*;
use httpkit::listing;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

/// The published list of a version's operations: of `RECKONER_SPECS`, else beside the checkout.
///
/// Where the folder is missing the test says so aloud; under `CI=true` that is a failure.
fn published(version: Version) -> Option<Vec<csv::StringRecord>> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let folder = std::env::var_os("RECKONER_SPECS").map_or_else(beside, PathBuf::from);
    let version = version.name();
    if folder.is_dir() {
        let file = folder.join("microsoft-consumption").join(version).join("operations.csv");
        let mut reader = csv::Reader::from_path(file).expect("the folder holds the list");
        return Some(reader.records().map(|record| record.expect("a record")).collect());
    }
    writeln!(std::io::stderr(), "LEFT OUT: {version}: no folder {}", folder.display())
        .expect("standard error takes text");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "descriptions are missing under CI");
    None
}

/// The columns of the published list.
const ID: usize = 1;
const PATH: usize = 3;

#[test]
fn the_surface_serves_what_its_list_says() {
    let mut lines = String::new();
    for (version, group) in served() {
        for line in listing(group.operations()).lines() {
            lines.push_str(&format!("{} {line}\n", version.name()));
        }
    }
    assert_eq!(lines, include_str!("../operations.txt"), "operations.txt should be:\n{lines}");
}

#[test]
fn each_published_operation_is_served_and_no_other() {
    for (version, group) in served() {
        let Some(records) = published(version) else { return };
        let published: BTreeSet<&str> = records.iter().map(|record| &record[ID]).collect();
        let served: BTreeSet<&str> = group.operations().iter().map(|one| one.id).collect();
        assert_eq!(served, published, "{version:?}");
    }
}

#[test]
fn each_operation_stands_where_it_is_published() {
    let unnamed = |path: &str| {
        let segments = path.split('/');
        let unnamed = segments.map(|part| if part.starts_with('{') { "{}" } else { part });
        unnamed.collect::<Vec<_>>().join("/")
    };
    for (version, group) in served() {
        let Some(records) = published(version) else { return };
        for operation in group.operations() {
            let record = records.iter().find(|record| &record[ID] == operation.id);
            let path = &record.unwrap_or_else(|| panic!("{}", operation.id))[PATH];
            assert_eq!(unnamed(&operation.path), unnamed(path), "{version:?} {}", operation.id);
        }
    }
}

#[test]
fn each_segment_has_one_spelling_and_each_verb_one_place() {
    assert!(LetterCase::new(group().unwrap().operations()).is_ok());
}

#[test]
fn a_newer_version_is_answered_in_the_newest_shapes() {
    let check = |name: &str, expected: Version| assert_eq!(Version::of(name), expected, "{name}");
    check("2019-10-01", Version::V2019);
    check("2021-10-01", Version::V2021);
    check("2023-05-01", Version::V2021);
    for name in at::VERSIONS {
        assert!(served().iter().any(|(version, _)| *version == Version::of(name)), "{name}");
    }
}
