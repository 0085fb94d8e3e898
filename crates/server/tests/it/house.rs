//! The rules of the house (STYLE.md), each one a test over the tree as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{MetadataCommand, Package};

const SURFACES: &str = "*surface";

/// Who may import whom, beside `server`, which may import everything. What is absent is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    ("money", &[]),
    ("calendar", &[]),
    ("engine", &[]),
    ("xtask", &[]),
    ("rivals", &[]),
    ("domain", &["money", "calendar"]),
    ("usagelog", &["domain", "money", "calendar"]),
    ("identity", &["domain", "money", "calendar"]),
    ("store", &["domain", "money", "calendar", "usagelog"]),
    ("importers", &["domain", "money", "calendar"]),
    ("documents", &["domain", "money", "calendar"]),
    (
        "service",
        &[
            "money",
            "calendar",
            "engine",
            "domain",
            "usagelog",
            "identity",
            "store",
            "importers",
            "documents",
        ],
    ),
    ("httpkit", &["domain"]),
    ("armkit", &["httpkit", "domain"]),
    (SURFACES, &["service", "domain", "money", "calendar", "httpkit"]),
    ("world", &["service", "domain", "money", "calendar"]),
];

/// The crates between a usage record and an output: no binary float may stand in them.
const MONEY_PATH: &[&str] = &[
    "money",
    "calendar",
    "domain",
    "usagelog",
    "store",
    "engine",
    "service",
    "importers",
    "documents",
];

/// Those of them that compute with quantities and amounts. `usagelog` counts bytes and positions
/// only; the overflow checks of every build watch over it.
const COMPUTING: &[&str] =
    &["money", "calendar", "domain", "store", "engine", "service", "importers", "documents"];

/// Every way to read a clock that the standard library and our dependencies have.
const CLOCK_READS: &[&str] = &[
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "std::time::SystemTime::elapsed",
    "std::time::Instant::elapsed",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "tokio::time::Instant::now",
];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).expect("the crate lies two below the root").to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file of the project below `place`, without build output, tools and version control.
fn files(place: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut places = vec![place.to_path_buf()];
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display())) {
            let path = entry.expect("a listed entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let ours = !matches!(&*name, "target" | "node_modules" | "dist" | "__pycache__")
                && (!name.starts_with('.') || name == ".ci");
            if path.is_dir() && ours {
                places.push(path);
            } else if path.is_file() && name != ".git" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The Rust files of the workspace, with their path from the root.
fn rust_files() -> Vec<(String, String)> {
    let root = root();
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|e| e == "rs");
    let relative = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        (name, read(&path))
    };
    files(&root).into_iter().filter(is_rust).map(relative).collect()
}

fn is_test_file(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("/tests.rs")
}

/// The part of a source file that is not tests.
fn without_tests(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(before, _)| before)
}

/// A line without its comment; good enough for rules about words.
fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(before, _)| before)
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

fn workspace() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .expect("cargo describes the workspace");
    metadata.packages
}

fn folder(package: &Package) -> PathBuf {
    PathBuf::from(package.manifest_path.parent().expect("a manifest lies in a folder"))
}

fn toml_of(name: &str) -> toml::Table {
    read(&root().join(name)).parse().unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

/// What `package` may import of ours.
fn allowed(package: &Package, is_surface: bool) -> BTreeSet<&'static str> {
    let key = if is_surface { SURFACES } else { package.name.as_str() };
    let row = ARROWS.iter().find(|(name, _)| *name == key);
    let (_, names) = row.unwrap_or_else(|| panic!("{key} has no row in the table of arrows"));
    let mut names: BTreeSet<_> = names.iter().copied().collect();
    if is_surface && (package.name.starts_with("azure-") || package.name == "arm-base") {
        names.insert("armkit");
    }
    names
}

#[test]
fn crates_import_only_along_the_arrows() {
    let packages = workspace();
    let ours: BTreeSet<String> = packages.iter().map(|p| p.name.to_string()).collect();
    let mut wrong = Vec::new();
    for package in packages.iter().filter(|p| p.name != "server") {
        let is_surface = folder(package).parent().is_some_and(|p| p.ends_with("surfaces"));
        for dependency in package.dependencies.iter().filter(|d| ours.contains(&d.name)) {
            if !allowed(package, is_surface).contains(dependency.name.as_str()) {
                wrong.push(format!("{} imports {}", package.name, dependency.name));
            }
        }
    }
    none("arrows that the table lacks", &wrong);
}

#[test]
fn each_crate_says_what_it_owns() {
    let mut wrong = Vec::new();
    for package in workspace() {
        let path = folder(&package).join("README.md");
        let Ok(text) = fs::read_to_string(&path) else {
            wrong.push(format!("{} has no README.md", package.name));
            continue;
        };
        let headings: Vec<&str> = text.lines().filter(|l| l.starts_with("## ")).collect();
        if headings != ["## Owns", "## Does not own", "## Must always hold"] {
            wrong.push(format!("{}/README.md has the headings {headings:?}", package.name));
        }
        if text.lines().count() >= 60 {
            wrong.push(format!("{}/README.md has 60 lines or more", package.name));
        }
    }
    none("crates that do not say what they own", &wrong);
}

#[test]
fn files_fit_in_500_lines_and_lines_in_100_columns() {
    let mut wrong = Vec::new();
    for (name, text) in rust_files().iter().filter(|(name, _)| !is_test_file(name)) {
        let source = without_tests(text);
        let lines = source.lines().count();
        if lines > 500 {
            wrong.push(format!("{name} has {lines} lines"));
        }
        for (number, line) in (1..).zip(source.lines()) {
            if line.chars().count() > 100 && !line.contains("https://") {
                wrong.push(format!("{name}:{number} is longer than 100 columns"));
            }
        }
    }
    none("too long", &wrong);
}

#[test]
fn sql_stands_in_store_only() {
    let words = ["\"SELECT ", "\"INSERT INTO ", "\"DELETE FROM ", "\"CREATE TABLE ", "\"UPDATE "];
    let mut wrong = Vec::new();
    for (name, text) in rust_files() {
        // One states the rule; two change the books behind the program's back.
        let may = ["/house.rs", "/changed_bytes.rs", "/books.rs"];
        if name.starts_with("crates/store/") || may.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            if words.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{name}:{number}"));
            }
        }
    }
    none("SQL outside crates/store", &wrong);
}

#[test]
fn the_query_engine_is_imported_by_engine_only() {
    let mut wrong = Vec::new();
    for package in workspace().iter().filter(|p| p.name != "engine") {
        if package.dependencies.iter().any(|d| d.name.starts_with("datafusion")) {
            wrong.push(format!("{} depends on it", package.name));
        }
    }
    none("DataFusion outside crates/engine", &wrong);
}

#[test]
fn no_binary_float_stands_between_usage_and_output() {
    let mut wrong = Vec::new();
    for (name, text) in rust_files() {
        let on_the_path = MONEY_PATH.iter().any(|c| name.starts_with(&format!("crates/{c}/")))
            || name.starts_with("surfaces/");
        for (number, line) in (1..).zip(text.lines()).filter(|_| on_the_path) {
            if has_word(code(line), "f32") || has_word(code(line), "f64") {
                wrong.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    none("binary floats", &wrong);
}

#[test]
fn nothing_is_left_unwritten_or_skipped() {
    let marks = [concat!("to", "do!("), concat!("unimplemented", "!("), concat!("#[ig", "nore")];
    let mut wrong = Vec::new();
    for (name, text) in rust_files() {
        for (number, line) in (1..).zip(text.lines()) {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    none("unwritten code or tests that never run", &wrong);
}

#[test]
fn every_dependency_has_its_sentence() {
    let manifest = toml_of("Cargo.toml");
    let listed = manifest["workspace"]["dependencies"].as_table().expect("a table of dependencies");
    let document = read(&root().join("docs/dependencies.md"));
    let rows: BTreeMap<&str, &str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, sentence)| (name, sentence.trim_end_matches(['|', ' '])))
        .collect();
    let foreign = |(name, value): (&String, &toml::Value)| {
        let is_ours = value.get("path").is_some();
        (!is_ours).then(|| name.clone())
    };
    let names: Vec<String> = listed.iter().filter_map(foreign).collect();
    let packages = workspace();
    let used: BTreeSet<&str> =
        packages.iter().flat_map(|p| &p.dependencies).map(|d| d.name.as_str()).collect();
    let mut wrong = Vec::new();
    for name in names.iter().filter(|name| !used.contains(name.as_str())) {
        wrong.push(format!("{name} is used by no crate"));
    }
    for name in &names {
        if rows.get(name.as_str()).is_none_or(|sentence| sentence.len() <= 15) {
            wrong.push(format!("{name} has no sentence in docs/dependencies.md"));
        }
    }
    for name in rows.keys().filter(|name| !names.iter().any(|n| n == **name)) {
        wrong.push(format!("docs/dependencies.md explains {name}, which Cargo.toml lacks"));
    }
    none("dependencies and their sentences", &wrong);
}

#[test]
fn every_crate_uses_what_its_manifest_names() {
    let mut wrong = Vec::new();
    for package in workspace() {
        let is_rust = |path: &PathBuf| path.extension().is_some_and(|e| e == "rs");
        let texts: Vec<String> =
            files(&folder(&package)).iter().filter(|path| is_rust(path)).map(|p| read(p)).collect();
        for dependency in &package.dependencies {
            let name = dependency.name.replace('-', "_");
            let uses = |text: &String| text.lines().any(|line| has_word(code(line), &name));
            if !texts.iter().any(uses) {
                wrong.push(format!("{} does not use {}", package.name, dependency.name));
            }
        }
    }
    none("dependencies that are only named", &wrong);
}

/// The packages that a build of the program compiles: name and licence.
fn built() -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--edges", "normal,build", "--locked", "--offline"])
        .args(["--prefix", "none", "--format", "{p}\t{l}"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    let row = |line: &str| {
        let (package, licence) = line.split_once('\t')?;
        let licence = licence.trim_end_matches("(*)").trim();
        Some((package.split(' ').next()?.to_owned(), licence.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn one_crypto_provider_is_built_and_nothing_banned() {
    let built = built();
    assert!(built.contains_key("aws-lc-rs"), "the crypto provider is aws-lc-rs");
    let deny = toml_of("deny.toml");
    let banned = deny["bans"]["deny"].as_array().expect("a list of bans");
    let mut wrong = Vec::new();
    for ban in banned {
        let name = ban["crate"].as_str().expect("a ban names a crate");
        assert!(ban.get("reason").is_some(), "the ban of {name} gives its reason");
        if built.contains_key(name) {
            wrong.push(format!("{name}: {}", ban["reason"]));
        }
    }
    none("banned packages", &wrong);
}

/// Whether a licence expression can be met with allowed licences: an OR of ANDs, in brackets or not.
fn can_be_met(expression: &str, allow: &BTreeSet<&str>) -> bool {
    let expression = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = expression.split_whitespace().peekable();
    return any(&mut words, allow);

    type Words<'a, 'b> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;
    fn any(words: &mut Words, allow: &BTreeSet<&str>) -> bool {
        let mut met = all(words, allow);
        while words.next_if_eq(&"OR").is_some() {
            met |= all(words, allow);
        }
        met
    }
    fn all(words: &mut Words, allow: &BTreeSet<&str>) -> bool {
        let mut met = one(words, allow);
        while words.next_if_eq(&"AND").is_some() {
            met &= one(words, allow);
        }
        met
    }
    fn one(words: &mut Words, allow: &BTreeSet<&str>) -> bool {
        let word = words.next().unwrap_or_default();
        if word == "(" {
            let met = any(words, allow);
            words.next();
            return met;
        }
        match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
            Some(exception) => allow.contains(format!("{word} WITH {exception}").as_str()),
            None => allow.contains(word),
        }
    }
}

#[test]
fn licences_read_as_expressions() {
    let allow = BTreeSet::from(["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]);
    let check = |expression, met| assert_eq!(can_be_met(expression, &allow), met, "{expression}");
    check("MIT", true);
    check("GPL-3.0", false);
    check("GPL-3.0 OR MIT", true);
    check("GPL-3.0 AND MIT", false);
    check("GPL-3.0/MIT", true);
    check("(MIT OR GPL-3.0) AND Apache-2.0", true);
    check("(MIT OR GPL-3.0) AND LGPL-2.1", false);
    check("Apache-2.0 WITH LLVM-exception", true);
    check("Apache-2.0 WITH Other-exception", false);
    check("", false);
}

#[test]
fn every_licence_is_allowed() {
    let deny = toml_of("deny.toml");
    let list = deny["licenses"]["allow"].as_array().expect("a list of licences");
    let allow: BTreeSet<&str> = list.iter().filter_map(toml::Value::as_str).collect();
    let wrong: Vec<String> = built()
        .into_iter()
        .filter(|(_, licence)| !can_be_met(licence, &allow))
        .map(|(name, licence)| format!("{name}: `{licence}`"))
        .collect();
    none("licences that deny.toml does not allow", &wrong);
}

#[test]
fn every_package_comes_from_the_one_registry() {
    let lock = toml_of("Cargo.lock");
    let deny = toml_of("deny.toml");
    let registries = deny["sources"]["allow-registry"].as_array().expect("a list of registries");
    let allowed: Vec<String> =
        registries.iter().filter_map(|r| Some(format!("registry+{}", r.as_str()?))).collect();
    let packages = lock["package"].as_array().expect("a list of packages");
    let wrong: Vec<String> = packages
        .iter()
        .filter_map(|package| Some((package, package.get("source")?.as_str()?)))
        .filter(|(_, source)| !allowed.iter().any(|registry| registry == source))
        .map(|(package, source)| format!("{}: {source}", package["name"]))
        .collect();
    none("packages from elsewhere", &wrong);
}

/// What a configuration of clippy bans under a key.
fn banned(clippy: &toml::Table, key: &str) -> BTreeSet<String> {
    let list = clippy.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(|ban| Some(ban.get("path")?.as_str()?.to_owned())).collect()
}

#[test]
fn floats_and_clock_reads_are_denied_on_the_money_path() {
    let clocks: BTreeSet<String> = CLOCK_READS.iter().map(ToString::to_string).collect();
    let floats: BTreeSet<String> = ["f32", "f64"].map(str::to_owned).into();
    assert_eq!(banned(&toml_of("clippy.toml"), "disallowed-methods"), clocks);
    let mut wrong = Vec::new();
    for name in MONEY_PATH {
        let clippy = toml_of(&format!("crates/{name}/clippy.toml"));
        if banned(&clippy, "disallowed-methods") != clocks {
            wrong.push(format!("crates/{name}/clippy.toml does not ban every clock read"));
        }
        if banned(&clippy, "disallowed-types") != floats {
            wrong.push(format!("crates/{name}/clippy.toml does not ban floats"));
        }
    }
    let manifest = toml_of("Cargo.toml");
    let lints = &manifest["workspace"]["lints"]["clippy"];
    for lint in ["disallowed_methods", "disallowed_types", "allow_attributes"] {
        if lints[lint].as_str() != Some("deny") {
            wrong.push(format!("Cargo.toml does not deny {lint}"));
        }
    }
    none("floats or clock reads that clippy lets pass", &wrong);
}

#[test]
fn unchecked_arithmetic_is_denied_where_amounts_are_computed() {
    let checks = &toml_of("Cargo.toml")["profile"]["release"]["overflow-checks"];
    assert_eq!(checks.as_bool(), Some(true), "release builds check for overflow too");
    let lint = "clippy::arithmetic_side_effects";
    let denied = format!("#![cfg_attr(not(test), deny({lint}))]");
    let mut wrong = Vec::new();
    for name in COMPUTING {
        let path = format!("crates/{name}/src/lib.rs");
        if !read(&root().join(&path)).lines().any(|line| line == denied) {
            wrong.push(format!("{path} does not deny it"));
        }
    }
    // Where it is silenced, the reason says why nothing can overflow.
    for (name, text) in rust_files().iter().filter(|(name, _)| !name.ends_with("/house.rs")) {
        for (before, _) in text.match_indices(lint) {
            let before_it = text[..before].trim_end();
            let is_ours = before_it.ends_with("deny(");
            let rest = text[before..].split_once(")]").map_or("", |(rest, _)| rest);
            let has_reason = before_it.ends_with("expect(") && rest.contains("reason = ");
            if !is_ours && !has_reason {
                wrong.push(format!("{name} silences it without a reason"));
            }
        }
    }
    none("unchecked arithmetic", &wrong);
}

#[test]
fn the_lints_are_the_same_everywhere() {
    let root = root();
    let common = read(&root.join("clippy.toml"));
    let ban = read(&root.join("crates/money/clippy.toml"));
    assert!(ban.starts_with(&common), "crates/money/clippy.toml begins like the common one");
    let mut wrong = Vec::new();
    for name in MONEY_PATH {
        if read(&root.join("crates").join(name).join("clippy.toml")) != ban {
            wrong.push(format!("crates/{name}/clippy.toml is not the one of crates/money"));
        }
    }
    for package in workspace() {
        if !read(&folder(&package).join("Cargo.toml")).contains("[lints]\nworkspace = true") {
            wrong.push(format!("{} does not take the workspace's lints", package.name));
        }
    }
    none("lints", &wrong);
}

#[test]
fn no_path_of_one_machine_is_in_the_tree() {
    let root = root();
    let places: Vec<String> =
        ["work", "farm", "root", "home"].iter().map(|place| format!("/{place}/")).collect();
    let mut wrong = Vec::new();
    for path in files(&root) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let is_absolute = |place: &String| {
                let starts_here = |(at, _): (usize, &str)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || "_.-})".contains(c))
                };
                line.match_indices(place.as_str()).any(starts_here)
            };
            if places.iter().any(is_absolute) {
                let name = path.strip_prefix(&root).unwrap_or(&path);
                wrong.push(format!("{}:{number}", name.display()));
            }
        }
    }
    none("paths of one machine", &wrong);
}

#[test]
fn each_change_says_what_for_whom_and_what_to_do() {
    let mut wrong = Vec::new();
    for path in files(&root().join("changes")) {
        let text = read(&path);
        let is_titled = text.starts_with("# ");
        let parts = ["\nWhat: ", "\nFor whom: ", "\nWhat to do: "];
        if !is_titled || !parts.iter().all(|part| text.contains(part)) {
            wrong.push(format!("{} lacks a title or a part", path.display()));
        }
    }
    none("changes", &wrong);
}

#[test]
fn two_commands_do_the_set_up_and_ci_runs_the_second() {
    let root = root();
    let readme = read(&root.join("README.md"));
    assert!(readme.contains("make demo"), "README.md names `make demo`");
    assert!(readme.contains("make test"), "README.md names `make test`");
    assert!(read(&root.join(".ci/run")).contains("\nmake test\n"), ".ci/run calls `make test`");
    let documents =
        ["ARCHITECTURE.md", "GLOSSARY.md", "STYLE.md", "CONTRIBUTING.md", "SECURITY.md"];
    for name in documents {
        assert!(readme.contains(name), "README.md points to {name}");
        assert!(!read(&root.join(name)).is_empty());
    }
}

/// What stands before the name of an action where an entry of the audit log is made.
const BEFORE_ACTIONS: &[&str] = &[
    "action: \"",
    "audit(connection, \"",
    "audit_note(note, \"",
    "deed(\"",
    "decided(\"",
    "of_place(\"",
    ".changed(\"",
    "Act::Amend(amendment) => (\"",
    "Act::Withdraw(amendment) => (\"",
];

/// Actions of the store's own tests.
const OF_NO_PROGRAM: &[&str] = &["facts.append", "setting.set"];

#[test]
fn every_action_of_the_audit_log_is_documented() {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let is_maker = |name: &str| {
        let is_ours = name.starts_with("crates/service/src/") || name.starts_with("crates/store/");
        is_ours && !is_test_file(name)
    };
    for (_, text) in rust_files().iter().filter(|(name, _)| is_maker(name)) {
        let words: Vec<&str> = without_tests(text).split_whitespace().collect();
        let line = words.join(" ").replace("( ", "(");
        for before in BEFORE_ACTIONS {
            let actions = line.split(*before).skip(1).filter_map(|rest| rest.split('"').next());
            let is_name = |name: &&str| {
                name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'))
            };
            found.extend(actions.filter(is_name).map(str::to_owned));
        }
    }
    found.retain(|action| !OF_NO_PROGRAM.contains(&action.as_str()));
    let rows = crate::described::rows("docs/admin.md", "## Audit log");
    let told: BTreeSet<String> = rows.into_iter().flat_map(|(actions, _)| actions).collect();
    assert_eq!(told, found, "the table of actions in docs/admin.md");
}
