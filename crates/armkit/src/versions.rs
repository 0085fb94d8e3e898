//! Several versions of a contract at the same addresses: the query says which one is asked for.

use crate::query::{API_VERSION, asked_version};
use crate::{ArmError, Query};
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use domain::{Error, Result};
use http::StatusCode;
use httpkit::{Group, Operation};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Operations that need no `api-version`, by their ids.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unasked<'a> {
    /// Served as the version that has them where none is asked for.
    pub implicit: &'a [&'a str],
    /// Served whatever version is asked for, or none.
    pub any: &'a [&'a str],
}

/// The operation that answers a request, by its id, and the version that is asked for. Handlers
/// find them among the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The operation.
    pub operation: &'static str,
    /// The version that its table belongs to.
    pub version: &'static str,
}

/// One group out of groups of versions, one or more for each: each address has one route, and its
/// handler is chosen by the verb and by `api-version`. Of the versions `beside` them only a few
/// operations are served: refusals name them at the addresses of these alone.
///
/// Parameters of one place may have other names in other versions: handlers take them by place.
/// What stands around the routes of a given group is lost.
///
/// Errors: [`Error::Invalid`] when a version has one verb on one path twice.
pub fn versions<S: Clone + Send + Sync + 'static>(
    groups: Vec<(&'static str, Group<S>)>,
    beside: Vec<(&'static str, Group<S>)>,
    unasked: Unasked<'_>,
) -> Result<Group<S>> {
    let whole = each_once(groups.iter().map(|(version, _)| *version));
    let known = each_once(groups.iter().chain(&beside).map(|(version, _)| *version));
    let mut paths: HashMap<String, String> = HashMap::new();
    let mut doors: BTreeMap<(String, &'static str), Vec<Room<S>>> = BTreeMap::new();
    for (version, group) in groups.into_iter().chain(beside) {
        for (Operation { path, verb, id }, handler) in group.into_entries() {
            let place = place_of(&path);
            paths.entry(place.clone()).or_insert(path);
            let rooms = doors.entry((place, verb)).or_default();
            if let Some(first) = rooms.iter().find(|room| room.version == version) {
                let problem = format!("stands where `{}` of {version} stands", first.id);
                return Err(Error::invalid(id, problem));
            }
            let need = Need::of(id, unasked);
            rooms.push(Room { version, id, need, handler });
        }
    }
    let mut group = Group::new();
    for ((place, verb), rooms) in doors {
        let (Some(path), Some(first)) = (paths.get(&place), rooms.first()) else { continue };
        let id = first.id;
        let named = named(&whole, &known, &rooms);
        let door = Arc::new(Door { known: Arc::clone(&known), named, rooms });
        group = group.on(verb, id, path, move |State(state): State<S>, request: Request| {
            let door = Arc::clone(&door);
            async move { door.serve(state, request).await }
        });
    }
    Ok(group)
}

fn each_once(versions: impl Iterator<Item = &'static str>) -> Arc<[&'static str]> {
    let mut found = Vec::new();
    for version in versions {
        if !found.contains(&version) {
            found.push(version);
        }
    }
    found.into()
}

/// The versions that a door's refusals name: those that have it, and beside one of the contract's
/// all of these.
fn named<S>(
    whole: &[&'static str],
    known: &[&'static str],
    rooms: &[Room<S>],
) -> Vec<&'static str> {
    let has = |version: &str| rooms.iter().any(|room| room.version == version);
    let is_of_contract = whole.iter().any(|version| has(version));
    let is_named =
        |version: &&'static str| has(version) || (is_of_contract && whole.contains(version));
    known.iter().copied().filter(is_named).collect()
}

/// A path without the names of its parameters.
fn place_of(path: &str) -> String {
    let segments = path.split('/');
    let unnamed = segments.map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    unnamed.collect::<Vec<_>>().join("/")
}

/// Whether an operation needs a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Version,
    VersionIfGiven,
    Nothing,
}

impl Need {
    fn of(id: &str, unasked: Unasked<'_>) -> Need {
        if unasked.any.contains(&id) {
            Need::Nothing
        } else if unasked.implicit.contains(&id) {
            Need::VersionIfGiven
        } else {
            Need::Version
        }
    }
}

/// One verb on one path, in every version that has it.
struct Door<S> {
    known: Arc<[&'static str]>,
    /// What refusals name of the known versions.
    named: Vec<&'static str>,
    rooms: Vec<Room<S>>,
}

struct Room<S> {
    version: &'static str,
    id: &'static str,
    need: Need,
    handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Door<S> {
    async fn serve(&self, state: S, mut request: Request) -> Response {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let Room { version, id, need: _, handler } = match self.choose(&query) {
            Ok(room) => room,
            Err(refused) => return refused.into_response(),
        };
        request.extensions_mut().insert(Chosen { operation: id, version });
        let handler = handler.clone();
        <MethodRouter<S> as Handler<(), S>>::call(handler, request, state).await
    }

    /// Errors: as [`api_version`]; 404 `InvalidResourceType` naming the versions that have it.
    fn choose(&self, query: &Query) -> std::result::Result<&Room<S>, ArmError> {
        let needing = |need| self.rooms.iter().find(|room| room.need == need);
        if let Some(room) = needing(Need::Nothing) {
            return Ok(room);
        }
        let asked = query.get(API_VERSION)?.filter(|asked| !asked.is_empty());
        if let (None, Some(room)) = (asked, needing(Need::VersionIfGiven)) {
            return Ok(room);
        }
        let version = asked_version(query, &self.known, &self.named)?;
        self.rooms.iter().find(|room| room.version == version).ok_or_else(|| {
            let has = |version: &&&str| self.rooms.iter().any(|room| room.version == **version);
            let having: Vec<&str> = self.known.iter().filter(has).copied().collect();
            let message = format!(
                "this operation is not part of api-version `{version}`; it is part of {}",
                having.join(", ")
            );
            ArmError::new(StatusCode::NOT_FOUND, "InvalidResourceType", message)
        })
    }
}
