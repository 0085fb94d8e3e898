//! Operations that say themselves what they take and give: the table of a surface of our own, and
//! the OpenAPI document made from it.
//!
//! Nothing is said twice: what stands in the document is read off the types of a handler's
//! arguments and answer, so a handler that changes changes the document.

use crate::refusal::Told;
use crate::{Asking, BaseUrl, Group, JsonBody, Operation, Path, Refusal, RequestId, Unhurried};
use axum::Json;
use axum::extract::State;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemars::JsonSchema;
use schemars::r#gen::SchemaSettings;
use serde_json::{Map, Value, json};
use std::marker::PhantomData;

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It answers.
    Reads,
    /// It changes something: it takes an `Idempotency-Key`.
    Changes,
}

/// An operation with what it takes and gives.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its line in the table.
    pub operation: Operation,
    /// Whether it changes anything.
    pub effect: Effect,
    asks_who: bool,
    query: Option<Value>,
    body: Option<Value>,
    status: StatusCode,
    answer: Option<Value>,
}

impl Described {
    /// Says that the caller must be signed in.
    pub fn asks_who(&mut self) {
        self.asks_who = true;
    }

    /// Says that it takes parameters behind the question mark: the members of `T`.
    pub fn takes_parameters<T: JsonSchema>(&mut self) {
        self.query = Some(schema_of::<T>());
    }

    /// Says that it takes a `T` as JSON.
    pub fn takes_body<T: JsonSchema>(&mut self) {
        self.body = Some(schema_of::<T>());
    }

    /// Says that it answers so, with a `T` as JSON.
    pub fn gives<T: JsonSchema>(&mut self, status: StatusCode) {
        self.status = status;
        self.answer = Some(schema_of::<T>());
    }

    /// Whether the path ends in a parameter, so that it is the address of one thing.
    fn is_of_one_thing(&self) -> bool {
        self.operation.path.ends_with('}')
    }
}

/// The schema of a type, with those of its members inside: several groups have an `Item`.
fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2019_09().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().schema;
    schema.metadata().title = None;
    // What a schema is made of can be written.
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    open_flattened(&mut schema);
    schema
}

/// Lets the variants of an enum stand among the members of what it is flattened into.
fn open_flattened(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties")
                && let Some(Value::Array(variants)) = members.get_mut("oneOf")
            {
                for variant in variants.iter_mut().filter_map(Value::as_object_mut) {
                    variant.remove("additionalProperties");
                }
            }
            members.values_mut().for_each(open_flattened);
        }
        Value::Array(items) => items.iter_mut().for_each(open_flattened),
        _ => {}
    }
}

/// What a handler's argument says of its operation.
pub trait Takes {
    /// Says it; most arguments say nothing.
    fn tell(_: &mut Described) {}
}

/// What a handler's answer says of its operation.
pub trait Gives {
    /// Says it.
    fn tell(described: &mut Described);
}

/// A handler with the arguments `A` that says what it takes and gives.
pub trait Tells<A> {
    /// Says it.
    fn tell(described: &mut Described);
}

impl<S> Takes for State<S> {}
impl Takes for RequestId {}
impl Takes for BaseUrl {}
impl Takes for Unhurried {}
impl<T> Takes for Path<T> {}

impl Takes for Asking {
    fn tell(described: &mut Described) {
        described.asks_who();
    }
}

impl<T: JsonSchema> Takes for JsonBody<T> {
    fn tell(described: &mut Described) {
        described.takes_body::<T>();
    }
}

impl<T: Gives> Gives for Result<T, Refusal> {
    fn tell(described: &mut Described) {
        T::tell(described);
    }
}

impl<T: JsonSchema> Gives for Json<T> {
    fn tell(described: &mut Described) {
        described.gives::<T>(StatusCode::OK);
    }
}

/// A status beside a body: something was made.
impl<T: JsonSchema> Gives for (StatusCode, Json<T>) {
    fn tell(described: &mut Described) {
        described.gives::<T>(StatusCode::CREATED);
    }
}

/// A status alone: there is nothing to say.
impl Gives for StatusCode {
    fn tell(described: &mut Described) {
        described.status = StatusCode::NO_CONTENT;
    }
}

/// An answer whose JSON is written by hand, as that of a `T` would be.
#[derive(Debug)]
pub struct Written<T>(Response, PhantomData<fn() -> T>);

impl<T> Written<T> {
    /// An answer that is written so.
    pub fn new(answer: impl IntoResponse) -> Written<T> {
        Written(answer.into_response(), PhantomData)
    }
}

impl<T> IntoResponse for Written<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: JsonSchema> Gives for Written<T> {
    fn tell(described: &mut Described) {
        described.gives::<T>(StatusCode::OK);
    }
}

/// An answer that is shown this once: nobody keeps it to show it again.
#[derive(Debug)]
pub struct ShownOnce<T>(pub T);

/// Marks an answer that must not be kept.
#[derive(Debug, Clone, Copy)]
pub struct NotKept;

impl<T: IntoResponse> IntoResponse for ShownOnce<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(NotKept);
        response
    }
}

impl<T: Gives> Gives for ShownOnce<T> {
    fn tell(described: &mut Described) {
        T::tell(described);
    }
}

macro_rules! tells {
    ($($argument:ident)*) => {
        impl<Body, Answer, Given, $($argument,)*> Tells<($($argument,)*)> for Body
        where
            Body: Fn($($argument),*) -> Answer,
            Answer: Future<Output = Given>,
            Given: Gives,
            $($argument: Takes,)*
        {
            fn tell(described: &mut Described) {
                $($argument::tell(described);)*
                Given::tell(described);
            }
        }
    };
}

tells!();
tells!(A);
tells!(A B);
tells!(A B C);
tells!(A B C D);
tells!(A B C D E);
tells!(A B C D E F);

/// The operations of a surface that is described: id, place, tail and handler on one line.
#[derive(Debug)]
pub struct Table<S> {
    group: Group<S>,
    described: Vec<Described>,
}

impl<S: Clone + Send + Sync + 'static> Table<S> {
    /// An empty table.
    pub fn new() -> Table<S> {
        Table { group: Group::new(), described: Vec::new() }
    }

    /// Adds a GET, as [`Group::get`].
    #[must_use]
    pub fn get<H, T, A>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Table<S>
    where
        H: Handler<T, S> + Tells<A>,
        T: 'static,
    {
        let Table { group, described } = self;
        Table { group: group.get(id, place, tail, handler), described }.tell::<H, A>(Effect::Reads)
    }

    /// Adds a POST that changes something, as [`Group::post`].
    #[must_use]
    pub fn post<H, T, A>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Table<S>
    where
        H: Handler<T, S> + Tells<A>,
        T: 'static,
    {
        let Table { group, described } = self;
        let group = group.post(id, place, tail, handler);
        Table { group, described }.tell::<H, A>(Effect::Changes)
    }

    /// Adds a POST that only asks: its question is too large for an address.
    #[must_use]
    pub fn ask<H, T, A>(self, id: &'static str, place: &str, tail: &str, handler: H) -> Table<S>
    where
        H: Handler<T, S> + Tells<A>,
        T: 'static,
    {
        let Table { group, described } = self;
        Table { group: group.post(id, place, tail, handler), described }.tell::<H, A>(Effect::Reads)
    }

    /// Refuses what nobody serves below `root`, as [`Group::rest`].
    #[must_use]
    pub fn rest(self, root: &str) -> Table<S> {
        Table { group: self.group.rest(root), described: self.described }
    }

    /// The routes, and what they take and give.
    pub fn into_parts(self) -> (Group<S>, Vec<Described>) {
        (self.group, self.described)
    }

    fn tell<H: Tells<A>, A>(mut self, effect: Effect) -> Table<S> {
        if let Some(operation) = self.group.operations().last().cloned() {
            let status = StatusCode::OK;
            let (query, body, answer) = (None, None, None);
            let mut described =
                Described { operation, effect, asks_who: false, query, body, status, answer };
            H::tell(&mut described);
            self.described.push(described);
        }
        self
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Table<S> {
    fn default() -> Table<S> {
        Table::new()
    }
}

/// The OpenAPI document of these operations.
///
/// Source: OpenAPI Specification 3.1.1.
pub fn openapi(title: &str, version: &str, operations: &[Described]) -> Value {
    let mut schemas = Map::new();
    schemas.insert("Refusal".to_owned(), schema_of::<Told>());
    let mut paths: Map<String, Value> = Map::new();
    for described in operations {
        let Operation { path, verb, id: _ } = &described.operation;
        let told = told(described, &mut schemas);
        if let Value::Object(verbs) = paths.entry(path.clone()).or_insert_with(|| json!({})) {
            verbs.insert(verb.to_lowercase(), told);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": version },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// One operation; its own schemas are named after it and put among the others.
fn told(described: &Described, schemas: &mut Map<String, Value>) -> Value {
    let id = described.operation.id;
    let mut named = |what: &str, schema: &Value| {
        let name = format!("{id}.{what}");
        let content = json!({
            "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } },
        });
        schemas.insert(name, schema.clone());
        content
    };
    let mut told = json!({
        "operationId": id,
        "tags": [id.split('_').next().unwrap_or(id)],
        "parameters": parameters(described),
    });
    if let Some(body) = &described.body {
        told["requestBody"] = json!({ "required": true, "content": named("Request", body) });
    }
    let mut answer = json!({ "description": "Done." });
    if let Some(schema) = &described.answer {
        answer["content"] = named("Answer", schema);
    }
    let refusal = json!({ "schema": { "$ref": "#/components/schemas/Refusal" } });
    let mut answers = Map::new();
    if described.operation.verb == "GET" {
        answer["headers"] = json!({ "ETag": { "schema": { "type": "string" } } });
        answers.insert("304".to_owned(), json!({ "description": "As `If-None-Match` says." }));
    }
    answers.insert(described.status.as_u16().to_string(), answer);
    answers.insert(
        "default".to_owned(),
        json!({ "description": "Refused.", "content": { "application/json": refusal } }),
    );
    told["responses"] = answers.into();
    if !described.asks_who {
        told["security"] = json!([]);
    }
    told
}

fn parameter((place, name): (&str, &str), required: bool, schema: &Value) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": schema })
}

/// Parameters of the path, behind the question mark, and in headers.
fn parameters(described: &Described) -> Vec<Value> {
    let text = || json!({ "type": "string" });
    let path = &described.operation.path;
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> =
        in_path.map(|name| parameter(("path", name), true, &text())).collect();
    if let Some(query) = &described.query {
        let required = |name: &str| {
            let names = query["required"].as_array();
            names.is_some_and(|names| names.iter().any(|one| one == name))
        };
        for (name, schema) in query["properties"].as_object().into_iter().flatten() {
            all.push(parameter(("query", name), required(name), schema));
        }
    }
    match (described.operation.verb, described.effect) {
        ("GET", _) => all.push(parameter(("header", "If-None-Match"), false, &text())),
        (_, Effect::Reads) => {}
        (_, Effect::Changes) => {
            all.push(parameter(("header", "Idempotency-Key"), false, &text()));
            let resource = crate::conditional::resource_of(path);
            if resource.is_some() || described.is_of_one_thing() {
                all.push(parameter(("header", "If-Match"), false, &text()));
            }
        }
    }
    all
}
