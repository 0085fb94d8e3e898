//! What use cases have done below them: blocking work, and what its failures mean here; secrets
//! and directories.

use domain::{Error, Result};
use store::Store;

/// Runs blocking work on the threads meant for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    // What it logs belongs to the request that waits for it.
    let span = tracing::Span::current();
    let (tell, told) = tokio::sync::oneshot::channel();
    // One type of task for all work: each would be compiled by itself.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || {
        // Whoever waited may have gone.
        let _ = tell.send(span.in_scope(work));
    });
    let failed = "run blocking work";
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(failed, error))?;
    told.await.map_err(|error| Error::internal(failed, error))?
}

/// Turns an error of the books into ours.
pub(crate) fn stored(context: &'static str) -> impl Fn(store::StoreError) -> Error {
    move |error| match Error::from(error) {
        Error::Internal { source, .. } => Error::Internal { context: context.to_owned(), source },
        other => other,
    }
}

/// Turns an error of the engine into ours: what a limit refuses is the question's fault, not ours.
pub(crate) fn engine_failed(context: &'static str) -> impl Fn(engine::Error) -> Error {
    move |error| match error {
        engine::Error::TooManyGroups { limit: most } => {
            Error::TooMuch { limit: "groups of an answer", most, key: "limits.answer_rows" }
        }
        engine::Error::TooMuchMemory { limit_bytes, source: _ } => Error::TooMuch {
            limit: "bytes of memory of a query",
            most: u64::try_from(limit_bytes).unwrap_or(u64::MAX),
            key: "limits.query_bytes",
        },
        other => Error::internal(context, other),
    }
}

/// Makes a directory that only its owner may look into: the books hold the signing key.
pub(crate) fn private_directory(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A secret of 32 bytes that the books keep, made at first use.
pub(crate) fn secret_32(store: &Store, name: &'static str) -> Result<[u8; 32]> {
    let kept = store.ensure_secret(name, &random_32()).map_err(stored("read the secrets"))?;
    <[u8; 32]>::try_from(kept.as_slice())
        .map_err(|e| Error::internal(format!("read secret `{name}`"), e))
}

/// 32 bytes that nobody can guess, from the machine's randomness.
pub(crate) fn random_32() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    // A version 4 uuid fixes six bits; hashing spreads the 244 random ones over all 256.
    *blake3::hash(&bytes).as_bytes()
}
