//! Literal path segments in any letter case, brought to the spelling of the route table.

use domain::{Error, Result};
use http::Uri;
use http::uri::PathAndQuery;
use httpkit::{Operation, Rewrite};
use std::collections::HashMap;
use std::sync::Arc;

/// Longest path that is looked at, in segments.
const SEGMENTS_MOST: usize = 64;

/// The route table as a tree of segments.
#[derive(Debug, Default)]
pub struct LetterCase {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// By lower case: the table's spelling and what comes below.
    literals: HashMap<String, (String, Node)>,
    parameter: Option<Box<Node>>,
    is_end: bool,
}

impl LetterCase {
    /// Reads the paths of all operations.
    ///
    /// Errors: [`Error::Invalid`] when two paths spell one segment in two ways.
    pub fn new<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Result<LetterCase> {
        let mut table = LetterCase::default();
        for operation in operations {
            table.add(&operation.path)?;
        }
        Ok(table)
    }

    fn add(&mut self, path: &str) -> Result<()> {
        let mut node = &mut self.root;
        for segment in segments(path) {
            node = if segment.starts_with('{') {
                node.parameter.get_or_insert_default()
            } else {
                let entry = node.literals.entry(segment.to_lowercase());
                let (spelled, below) =
                    entry.or_insert_with(|| (segment.to_owned(), Node::default()));
                if spelled != segment {
                    let problem = format!("spells `{segment}`, another path `{spelled}`");
                    return Err(Error::invalid(path, problem));
                }
                below
            };
        }
        node.is_end = true;
        Ok(())
    }

    /// The path in the table's spelling, parameters untouched; nothing when the table has no such
    /// path or it is spelled so already.
    pub fn canonical(&self, path: &str) -> Option<String> {
        let given: Vec<&str> = segments(path).take(SEGMENTS_MOST + 1).collect();
        if given.len() > SEGMENTS_MOST {
            return None;
        }
        let mut spelled = Vec::with_capacity(given.len());
        if !self.root.spell(&given, &mut spelled) {
            return None;
        }
        let canonical: String = spelled.iter().flat_map(|segment| ["/", segment]).collect();
        (canonical != path).then_some(canonical)
    }

    /// As a rewriting for the server's edge.
    pub fn into_rewrite(self) -> Rewrite {
        Arc::new(move |uri: &Uri| {
            let mut target = self.canonical(uri.path())?;
            if let Some(query) = uri.query() {
                target.push('?');
                target.push_str(query);
            }
            let mut parts = uri.clone().into_parts();
            parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
            Uri::from_parts(parts).ok()
        })
    }
}

impl Node {
    /// Finds the way through `given`, a literal before a parameter, and leaves it in `spelled`.
    fn spell<'a>(&'a self, given: &[&'a str], spelled: &mut Vec<&'a str>) -> bool {
        let Some((segment, rest)) = given.split_first() else { return self.is_end };
        let literal = self.literals.get(&segment.to_lowercase());
        let ways = literal
            .map(|(spelling, below)| (spelling.as_str(), below))
            .into_iter()
            .chain(self.parameter.as_deref().map(|below| (*segment, below)));
        for (spelling, below) in ways {
            spelled.push(spelling);
            if below.spell(rest, spelled) {
                return true;
            }
            spelled.pop();
        }
        false
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}
