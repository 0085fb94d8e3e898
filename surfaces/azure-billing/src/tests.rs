use super::*;
use httpkit::listing;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

/// The published list of a version's operations: of `RECKONER_SPECS`, else beside the checkout.
///
/// Where the folder is missing the test says so aloud; under `CI=true` that is a failure.
fn published(version: &str) -> Option<Vec<csv::StringRecord>> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let folder = std::env::var_os("RECKONER_SPECS").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        let file = folder.join("microsoft-billing").join(version).join("operations.csv");
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
const QUERY: usize = 4;

#[test]
fn the_surface_serves_what_its_list_says() {
    let mut lines = String::new();
    for (version, group) in served() {
        for line in listing(group.operations()).lines() {
            lines.push_str(&format!("{version} {line}\n"));
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
        assert_eq!(served, published, "{version}");
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
            assert_eq!(unnamed(&operation.path), unnamed(path), "{version} {}", operation.id);
        }
    }
}

#[test]
fn what_may_be_changed_shows_itself_with_a_tag() {
    for (version, group) in served() {
        let of = |verbs: &[&str]| -> Vec<_> {
            group.operations().iter().filter(|one| verbs.contains(&one.verb)).collect()
        };
        let shown: BTreeSet<&str> = of(&["GET"]).into_iter().map(|one| one.path.as_str()).collect();
        for change in of(&["PUT", "PATCH", "DELETE"]) {
            assert!(shown.contains(change.path.as_str()), "{version} {}", change.id);
        }
    }
}

#[test]
fn what_declares_no_version_needs_none() {
    let Some(records) = published(V2019) else { return };
    let undeclared = records.iter().filter(|record| !record[QUERY].contains("api-version"));
    let undeclared: BTreeSet<&str> = undeclared.map(|record| &record[ID]).collect();
    assert_eq!(undeclared, BTreeSet::from(IMPLICIT));
}

#[test]
fn each_segment_has_one_spelling_and_each_verb_one_place() {
    assert!(LetterCase::new(group().unwrap().operations()).is_ok());
}
