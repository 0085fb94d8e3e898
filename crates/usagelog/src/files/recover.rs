//! Opening a shard's files: what is durable, what a crash left half done, what is damaged.

use super::layout::Span;
use crate::error::{LogError, Result};
use crate::frame::{self, HEADER_BYTES, Header, MAGIC};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// Finds all files of a shard in order and cuts the last one where a crash left it half written.
///
/// Errors: [`LogError::Damaged`] when something durable is not as it was written.
pub(super) fn spans(dir: &Path, shard: u16) -> Result<Vec<Span>> {
    let mut files = list(dir)?;
    let last = files.pop();
    let mut spans: Vec<Span> = Vec::with_capacity(files.len() + 1);
    for (first, path) in files {
        let span = full(path, first)?;
        follows(&spans, &span)?;
        spans.push(span);
    }
    if let Some((first, path)) = last {
        follows(&spans, &Span::empty(path.clone(), first))?;
        spans.push(tail(path, first, shard)?);
    }
    Ok(spans)
}

/// The files of a shard with their first sequences, in order.
pub(super) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let fail = |e| LogError::io("listing", dir, e);
    let mut files = Vec::new();
    for item in fs::read_dir(dir).map_err(fail)? {
        let path = item.map_err(fail)?.path();
        let first = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let (Some(first), Some("log")) = (first, path.extension().and_then(|e| e.to_str())) {
            files.push((first, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn follows(spans: &[Span], next: &Span) -> Result<()> {
    let end = spans.last().map_or(0, |span| span.end);
    if next.first == end {
        return Ok(());
    }
    Err(next.damaged(0, &format!("the file before it ends at sequence {end}")))
}

/// A file that has a successor: it was complete before the successor was begun.
fn full(path: PathBuf, first: u64) -> Result<Span> {
    let fail = |e| LogError::io("opening", &path, e);
    let file = File::open(&path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    if let Some(span) = Span::load_marks(&path, first).filter(|span| span.length == length) {
        return Ok(span);
    }
    let mut span = Span::empty(path.clone(), first);
    while span.length < length {
        let header = span.header_at(&file, span.length)?;
        let group_bytes = header.group_bytes() as u64;
        if header.first_sequence != span.end || span.length + group_bytes > length {
            return Err(span.damaged(span.length, "the group does not follow the one before it"));
        }
        span.grow(header.first_sequence, header.end(), group_bytes);
    }
    // Marks are a cache; without them the next start only takes longer.
    if let Err(error) = span.save_marks() {
        tracing::debug!(%error, "marks not kept");
    }
    Ok(span)
}

/// The file that was written last: every group is checked, and an incomplete last one is cut off.
fn tail(path: PathBuf, first: u64, shard: u16) -> Result<Span> {
    let bytes = fs::read(&path).map_err(|e| LogError::io("reading", &path, e))?;
    let (span, torn) = whole(&bytes, path, first, shard)?;
    if let Some(problem) = torn {
        cut(&span, bytes.get(length_of(&span)..).unwrap_or_default().len(), problem)?;
    }
    Ok(span)
}

/// How many bytes of a file that is in memory are whole groups.
pub(super) fn length_of(span: &Span) -> usize {
    usize::try_from(span.length).unwrap_or(usize::MAX)
}

/// The whole groups at the beginning of a file's bytes, and what is wrong with an incomplete one
/// behind them.
///
/// Errors: [`LogError::Damaged`] when it is not the last one that is broken.
pub(super) fn whole(
    bytes: &[u8],
    path: PathBuf,
    first: u64,
    shard: u16,
) -> Result<(Span, Option<&'static str>)> {
    let mut span = Span::empty(path, first);
    let mut rest = bytes;
    while !rest.is_empty() {
        match frame::check_group(rest) {
            Ok((header, _)) if header.shard == shard && header.first_sequence == span.end => {
                span.grow(header.first_sequence, header.end(), header.group_bytes() as u64);
                rest = &rest[header.group_bytes()..];
            }
            Ok(_) => {
                let problem = "the group does not follow the one before it";
                return Err(span.damaged(span.length, problem));
            }
            Err(problem) if something_follows(rest, &span, shard) => {
                return Err(span.damaged(span.length, problem));
            }
            Err(problem) => return Ok((span, Some(problem))),
        }
    }
    Ok((span, None))
}

/// Whether bytes of a later group stand behind the broken one: a group is begun only when the one
/// before it is durable, so the broken one then was whole and is damaged, not torn.
fn something_follows(rest: &[u8], span: &Span, shard: u16) -> bool {
    if let Ok(header) = Header::decode(rest)
        && header.shard == shard
        && header.first_sequence == span.end
    {
        return rest.len() > header.group_bytes();
    }
    let later = rest.get(HEADER_BYTES..).unwrap_or_default();
    later.windows(MAGIC.len()).enumerate().any(|(at, window)| {
        window == MAGIC
            && frame::check_group(&later[at..])
                .is_ok_and(|(header, _)| header.shard == shard && header.first_sequence > span.end)
    })
}

fn cut(span: &Span, cut_bytes: usize, problem: &str) -> Result<()> {
    tracing::warn!(
        file = %span.path.display(), offset = span.length, cut_bytes, problem,
        "cut off a group that a crash left half written; it was never acknowledged"
    );
    let fail = |e| LogError::io("cutting", &span.path, e);
    let file = OpenOptions::new().write(true).open(&span.path).map_err(fail)?;
    file.set_len(span.length).map_err(fail)?;
    file.sync_all().map_err(fail)
}
