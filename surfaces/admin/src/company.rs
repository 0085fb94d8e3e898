//! What is declared: read, and declared anew by company files while the server runs.

use axum::Json;
use axum::extract::State;
use domain::access::Caller;
use domain::{Error, Result};
use httpkit::{Asking, Faults, JsonBody, Parameters, Refusal, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::company::{self, Change, Declared, FieldChange, FileProblem, Plan, What};
use service::{DeclaredFact, Reckoner};

/// Lists what is declared, by kind and key.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Listed>,
) -> std::result::Result<Json<List>, Refusal> {
    let Listed { kind, after, limit } = asked;
    let limit = crate::wire::listed(&reckoner, limit, 1_000)?;
    if after.is_some() && kind.is_none() {
        return Err(
            Error::invalid("after", "must stand with `kind`: it is a key of one kind").into()
        );
    }
    let after = after.unwrap_or_default();
    let facts = reckoner.declared_facts(&caller, kind.as_deref(), &after, limit).await?;
    Ok(Json(List { declared: facts.into_iter().map(Fact::of).collect::<Result<_>>()? }))
}

/// Shows what company files would change.
pub(crate) async fn plan(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    JsonBody(asked): JsonBody<Files>,
) -> std::result::Result<Json<Planned>, Refusal> {
    let (declared, plan) = planned(&reckoner, &caller, asked.files).await?;
    Ok(Json(Planned::of(&declared, plan)))
}

/// Applies company files: all of them or nothing.
pub(crate) async fn apply(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(asked): JsonBody<Applying>,
) -> std::result::Result<Json<Applied>, Refusal> {
    let (declared, plan) = planned(&reckoner, &caller, asked.files).await?;
    if let Some(seen) = asked.plan.filter(|seen| *seen != plan.id.to_string()) {
        let problem = "is another by now: something was declared meanwhile, or the files differ; \
                       look at the plan again"
            .to_owned();
        return Err(Error::Conflict { what: "plan", key: seen, problem }.into());
    }
    let applied = reckoner.apply(&caller, &declared, &plan, &request_id.to_string()).await?;
    Ok(Json(Applied { changes: applied.changes, version: applied.version }))
}

/// Reads company files and finds what they would change.
async fn planned(
    reckoner: &Reckoner,
    caller: &Caller,
    files: Vec<CompanyFile>,
) -> std::result::Result<(Declared, Plan), Refusal> {
    // Who may not manage the company is not told what is wrong with its files.
    reckoner.plan(caller, &Declared::default()).await?;
    let known = reckoner.company(caller).await?;
    let mut names = Vec::with_capacity(files.len());
    let texts = files.into_iter().map(|CompanyFile { name, text }| {
        names.push(name.clone());
        (name, text)
    });
    let texts: Vec<(String, String)> = texts.collect();
    // Large files take a while, and others wait for this thread.
    let read = tokio::task::spawn_blocking(move || company::read_texts(texts, &known)).await;
    match read.map_err(|error| Error::internal("read company files", error))? {
        Ok(declared) => {
            let plan = reckoner.plan(caller, &declared).await?;
            Ok((declared, plan))
        }
        Err(problems) => Err(refused(&names, problems)),
    }
}

/// What is wrong with company files: each fault at its file, with its line and key.
fn refused(names: &[String], problems: Vec<FileProblem>) -> Refusal {
    let mut faults = Faults::default();
    for problem in problems {
        let place = names.iter().position(|name| problem.file.as_os_str() == name.as_str());
        let field = place.map_or("files".to_owned(), |place| format!("files[{place}].text"));
        faults.read::<()>(field, Err(Error::invalid("text", problem.to_string())));
    }
    match faults.end::<()>(None) {
        Err(refusal) => refusal,
        Ok(()) => Error::invalid("files", "cannot be read").into(),
    }
}

/// Which declared things, and how many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    kind: Option<String>,
    after: Option<String>,
    limit: Option<u64>,
}

/// Declared things.
#[derive(Serialize, JsonSchema)]
pub(crate) struct List {
    declared: Vec<Fact>,
}

/// A declared thing: its newest fact.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Fact {
    kind: String,
    key: String,
    body: Value,
}

impl Fact {
    pub(crate) fn of(fact: DeclaredFact) -> Result<Fact> {
        let DeclaredFact { kind, key, body } = fact;
        let read = serde_json::from_str(&body);
        let mut body: Value = read.map_err(|e| Error::internal("read a fact", e))?;
        // Hashes of secrets are nobody's to read.
        if let Some(members) = body.as_object_mut() {
            members.remove("secret_hashes");
        }
        Ok(Fact { kind, key, body })
    }
}

/// Company files.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    files: Vec<CompanyFile>,
}

/// Company files to apply, and the plan that was shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applying {
    files: Vec<CompanyFile>,
    plan: Option<String>,
}

/// One company file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompanyFile {
    name: String,
    text: String,
}

/// What company files would change.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Planned {
    plan: String,
    changes: Vec<Changed>,
    unchanged: usize,
    elsewhere: usize,
    notices: Vec<String>,
}

impl Planned {
    fn of(declared: &Declared, plan: Plan) -> Planned {
        let Plan { changes, unchanged, elsewhere, facts: _, id } = plan;
        Planned {
            plan: id.to_string(),
            changes: changes.into_iter().map(Changed::from).collect(),
            unchanged,
            elsewhere,
            notices: declared.notices.iter().map(ToString::to_string).collect(),
        }
    }
}

/// One thing that would change.
#[derive(Serialize, JsonSchema)]
struct Changed {
    kind: String,
    key: String,
    what: &'static str,
    fields: Vec<Field>,
    more_fields: usize,
}

/// One field that would change; old and new as JSON.
#[derive(Serialize, JsonSchema)]
struct Field {
    path: String,
    old: Option<String>,
    new: Option<String>,
}

impl From<Change> for Changed {
    fn from(change: Change) -> Changed {
        let Change { kind, key, what } = change;
        let (what, fields, more_fields) = match what {
            What::Added => ("added", Vec::new(), 0),
            What::Changed { fields, more } => ("changed", fields, more),
        };
        let field = |FieldChange { path, old, new }| {
            // Hashes of secrets are nobody's to read.
            let shown = |value: Option<String>| match path.starts_with("secret_hashes") {
                true => value.map(|_| "\"…\"".to_owned()),
                false => value,
            };
            let (old, new) = (shown(old), shown(new));
            Field { path, old, new }
        };
        let fields = fields.into_iter().map(field).collect();
        Changed { kind: kind.to_owned(), key, what, fields, more_fields }
    }
}

/// What applying came to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Applied {
    changes: usize,
    version: u64,
}
