//! Release chores. Every check of the tree is a cargo test; see `crates/server/tests/it/house.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

const HELP: &str = "\
usage: cargo run -p xtask -- CHORE TAG
  tag TAG      checks that the tree at hand may be tagged so
  golden TAG   builds a tag and makes its data directory from its recipe";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tag", tag] => check_tag(tag),
        ["golden", tag] => golden(tag),
        _ => bail!(HELP),
    }
}

fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask lies below the root")?.to_path_buf())
}

/// Runs a command in a folder and gives back what it printed; its failure is ours.
fn run(place: &Path, program: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(words)
        .current_dir(place)
        .output()
        .with_context(|| format!("{program} cannot be started"))?;
    let shown = format!("{program} {}", words.join(" "));
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "`{shown}` failed with {}:\n{problem}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no text"))
}

/// A tag names the version of the workspace, stands on a clean tree, and has its changes gathered.
fn check_tag(tag: &str) -> Result<()> {
    let root = root()?;
    let described = run(&root, env!("CARGO"), &["metadata", "--no-deps", "--format-version", "1"])?;
    let described: serde_json::Value = serde_json::from_str(&described)?;
    let packages = described["packages"].as_array().context("cargo lists packages")?;
    for package in packages {
        let version = package["version"].as_str().unwrap_or_default();
        ensure!(tag == format!("v{version}"), "{} has version {version}", package["name"]);
    }
    let dirt = run(&root, "git", &["status", "--porcelain"])?;
    ensure!(dirt.is_empty(), "the tree holds what is not committed:\n{dirt}");
    let changes = root.join("changes");
    ensure!(changes.join(tag).is_dir(), "run `git mv changes/unreleased changes/{tag}` and commit");
    ensure!(!changes.join("unreleased").exists(), "changes/unreleased still holds files");
    println!("ready: git tag --annotate {tag} --message {tag}");
    Ok(())
}

/// Builds a tag apart from the tree at hand and makes a data directory with it. The recipe is the
/// tag's own `golden/recipe.txt` the first time, and what was kept of it from then on.
fn golden(tag: &str) -> Result<()> {
    let root = root()?;
    let place = root.join("target/golden").join(tag);
    let (tree, data) = (place.join("tree"), place.join("data"));
    if !tree.exists() {
        let tree = tree.to_str().context("the path of the tree is text")?;
        run(&root, "git", &["worktree", "prune"])?;
        run(&root, "git", &["worktree", "add", "--detach", tree, tag])?;
    }
    let target = root.join("target/golden/build");
    let target = target.to_str().context("the path of the build is text")?;
    let what = ["build", "--locked", "--package", "server", "--bin", "reckoner", "--target-dir"];
    println!("building {tag}");
    run(&tree, env!("CARGO"), &[&what[..], &[target]].concat())?;

    let kept = root.join("golden").join(tag).join("recipe.txt");
    let source = if kept.exists() { kept.clone() } else { tree.join("golden/recipe.txt") };
    let recipe = fs::read_to_string(&source).with_context(|| source.display().to_string())?;
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let program = Path::new(target).join("debug/reckoner");
    follow(&recipe, &tree, &program, &data)?;
    if !kept.exists() {
        fs::create_dir_all(kept.parent().context("the recipe lies in a folder")?)?;
        fs::write(&kept, recipe)?;
    }
    println!("{} by {}", data.display(), kept.display());
    Ok(())
}

/// Runs each line of a recipe: `reckoner` and its words, with `{data}` for the data directory.
fn follow(recipe: &str, tree: &Path, program: &Path, data: &Path) -> Result<()> {
    let program = program.to_str().context("the path of the program is text")?;
    let data = data.to_str().context("the path of the data is text")?;
    let lines = recipe.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    for line in lines {
        let words: Vec<String> =
            line.split_whitespace().map(|word| word.replace("{data}", data)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ["reckoner", words @ ..] = &words[..] else {
            bail!("recipe: `{line}` does not start with `reckoner`");
        };
        println!("{line}");
        print!("{}", run(tree, program, words)?);
    }
    Ok(())
}
