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
    /// One for each operation, as it was added.
    handlers: Vec<MethodRouter<S>>,
}

impl<S: Clone + Send + Sync + 'static> Group<S> {
    /// An empty group.
    pub fn new() -> Group<S> {
        Group { router: Router::new(), operations: Vec::new(), handlers: Vec::new() }
    }

    /// Adds a GET; `place` and `tail` together are the path. Two handlers for one verb and path
    /// end the program when it starts.
    #[must_use]
    pub fn get<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("GET", id, &format!("{place}{tail}"), handler)
    }

    /// Adds a PUT, as [`Group::get`].
    #[must_use]
    pub fn put<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("PUT", id, &format!("{place}{tail}"), handler)
    }

    /// Adds a POST, as [`Group::get`].
    #[must_use]
    pub fn post<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("POST", id, &format!("{place}{tail}"), handler)
    }

    /// Adds a PATCH, as [`Group::get`].
    #[must_use]
    pub fn patch<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("PATCH", id, &format!("{place}{tail}"), handler)
    }

    /// Adds a DELETE, as [`Group::get`].
    #[must_use]
    pub fn delete<H, T>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on("DELETE", id, &format!("{place}{tail}"), handler)
    }

    /// Refuses what nobody serves below `root` as the group's surface refuses; an empty root stands
    /// for every address that no surface knows; one surface may have that. A parameter directly
    /// below `root` ends the program when it starts.
    #[must_use]
    pub fn rest(self, root: &str) -> Group<S> {
        self.within(|router| match root {
            "" => router.fallback(no_route),
            root => ["", "/", "/{*rest}"].iter().fold(router, |router, tail| {
                router.route(&format!("{root}{tail}"), routing::any(no_route))
            }),
        })
    }

    /// Both groups in one.
    #[must_use]
    pub fn merge(mut self, other: Group<S>) -> Group<S> {
        self.operations.extend(other.operations);
        self.handlers.extend(other.handlers);
        Group { router: self.router.merge(other.router), ..self }
    }

    /// What it serves, in the order of adding.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The same with something around its routes.
    #[must_use]
    pub fn within(self, around: impl FnOnce(Router<S>) -> Router<S>) -> Group<S> {
        Group { router: around(self.router), ..self }
    }

    /// Its operations, each with its handler alone: without what stands around the routes.
    pub fn into_entries(self) -> Vec<(Operation, MethodRouter<S>)> {
        self.operations.into_iter().zip(self.handlers).collect()
    }

    /// The routes.
    pub fn into_router(self) -> Router<S> {
        self.router
    }

    /// Adds an operation by its verb, as [`Group::get`]; a verb that is none of the five stands for
    /// every verb.
    #[must_use]
    pub fn on<H, T>(
        mut self,
        verb: &'static str,
        id: &'static str,
        path: &str,
        handler: H,
    ) -> Group<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = match verb {
            "GET" => routing::get(handler),
            "PUT" => routing::put(handler),
            "POST" => routing::post(handler),
            "PATCH" => routing::patch(handler),
            "DELETE" => routing::delete(handler),
            _ => routing::any(handler),
        };
        self.operations.push(Operation { path: path.to_owned(), verb, id });
        self.handlers.push(handler.clone());
        Group { router: self.router.route(path, handler), ..self }
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
