//! Operation groups: id, verb, place, tail and handler on one line.

use crate::Refusal;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use http::Uri;

/// One verb on one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The path with its parameters in braces.
    pub path: String,
    /// The verb.
    pub verb: &'static str,
    /// The contract's name for it.
    pub id: &'static str,
}

/// Operations and their handlers, over a state `S`.
#[derive(Debug)]
pub struct Group<S> {
    router: Router<S>,
    operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Group<S> {
    /// An empty group.
    pub fn new() -> Group<S> {
        Group { router: Router::new(), operations: Vec::new() }
    }

    /// Adds a GET; `place` and `tail` together are the path. Two handlers for one verb and path
    /// end the program when it starts.
    #[must_use]
    pub fn get<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("GET", id, format!("{place}{tail}"), routing::get(handler))
    }

    /// Adds a PUT, as [`Group::get`].
    #[must_use]
    pub fn put<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("PUT", id, format!("{place}{tail}"), routing::put(handler))
    }

    /// Adds a POST, as [`Group::get`].
    #[must_use]
    pub fn post<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("POST", id, format!("{place}{tail}"), routing::post(handler))
    }

    /// Adds a PATCH, as [`Group::get`].
    #[must_use]
    pub fn patch<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("PATCH", id, format!("{place}{tail}"), routing::patch(handler))
    }

    /// Adds a DELETE, as [`Group::get`].
    #[must_use]
    pub fn delete<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("DELETE", id, format!("{place}{tail}"), routing::delete(handler))
    }

    /// Refuses what nobody serves below `root` as the group's surface refuses; an empty root stands
    /// for every address that no surface knows; one surface may have that. A parameter directly
    /// below `root` ends the program when it starts.
    #[must_use]
    pub fn rest(self, root: &str) -> Group<S> {
        let router = match root {
            "" => self.router.fallback(no_route),
            root => ["", "/", "/{*rest}"].iter().fold(self.router, |router, tail| {
                router.route(&format!("{root}{tail}"), routing::any(no_route))
            }),
        };
        Group { router, operations: self.operations }
    }

    /// Both groups in one.
    #[must_use]
    pub fn merge(mut self, other: Group<S>) -> Group<S> {
        self.operations.extend(other.operations);
        Group { router: self.router.merge(other.router), operations: self.operations }
    }

    /// What it serves, in the order of adding.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The same with something around its routes.
    #[must_use]
    pub fn within(self, around: impl FnOnce(Router<S>) -> Router<S>) -> Group<S> {
        Group { router: around(self.router), operations: self.operations }
    }

    /// The routes.
    pub fn into_router(self) -> Router<S> {
        self.router
    }

    fn on(
        mut self,
        verb: &'static str,
        id: &'static str,
        path: String,
        handler: MethodRouter<S>,
    ) -> Group<S> {
        let router = self.router.route(&path, handler);
        self.operations.push(Operation { path, verb, id });
        Group { router, operations: self.operations }
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Group<S> {
    fn default() -> Group<S> {
        Group::new()
    }
}

async fn no_route(uri: Uri) -> Refusal {
    Refusal::NoRoute { path: uri.path().to_owned() }
}

/// The golden list of a surface: one line per operation, sorted by path.
pub fn listing(operations: &[Operation]) -> String {
    let mut sorted: Vec<&Operation> = operations.iter().collect();
    sorted.sort();
    sorted.iter().map(|Operation { path, verb, id }| format!("{verb} {path} {id}\n")).collect()
}
