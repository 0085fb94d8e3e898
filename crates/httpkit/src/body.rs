//! Bodies: read whole, unpacked if they are packed, within one limit.

use crate::Refusal;
use crate::frame::BodyLimit;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse;
use bytes::Bytes;
use domain::Error;
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use std::io::Read;

/// The whole body, unpacked. The frame's limit holds for what comes and for what it unpacks to.
#[derive(Debug, Clone)]
pub struct WholeBody(pub Bytes);

impl<S: Sync + Send> FromRequest<S> for WholeBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<WholeBody, Refusal> {
        let limit = request.extensions().get::<BodyLimit>().copied();
        let packing = Packing::of(request.headers())?;
        let bytes = as_sent(request).await?;
        match packing {
            Packing::Plain => Ok(WholeBody(bytes)),
            Packing::Gzip => {
                let most_bytes = limit.map_or(usize::MAX, |BodyLimit(most_bytes)| most_bytes);
                let unpacked = tokio::task::spawn_blocking(move || unpack(&bytes, most_bytes));
                let unpacked = unpacked.await.map_err(|e| Error::internal("unpack a body", e))?;
                unpacked.map(WholeBody)
            }
        }
    }
}

/// The whole body as it comes, packed or not.
pub(crate) async fn as_sent(request: Request) -> Result<Bytes, Refusal> {
    let limit = request.extensions().get::<BodyLimit>().copied();
    Bytes::from_request(request, &()).await.map_err(|rejection| {
        match (rejection.into_response().status(), limit) {
            (StatusCode::PAYLOAD_TOO_LARGE, Some(BodyLimit(most_bytes))) => {
                Refusal::BodyTooLarge { most_bytes }
            }
            _ => Error::invalid("body", "could not be read to its end").into(),
        }
    })
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
}

impl Packing {
    /// Source: RFC 9110, section 8.4: names in any letter case; `x-gzip` is `gzip`.
    fn of(headers: &HeaderMap) -> Result<Packing, Refusal> {
        let given = headers.get_all(CONTENT_ENCODING).iter();
        let texts: Vec<String> =
            given.map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase()).collect();
        let names: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
        match names.as_slice() {
            [] | ["" | "identity"] => Ok(Packing::Plain),
            ["gzip" | "x-gzip"] => Ok(Packing::Gzip),
            _ => Err(Refusal::UnknownPacking { packing: names.join(", ") }),
        }
    }
}

/// Unpacks no more than one byte beyond the limit, however little the packed form is.
fn unpack(packed: &[u8], most_bytes: usize) -> Result<Bytes, Refusal> {
    let most = u64::try_from(most_bytes).unwrap_or(u64::MAX);
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(packed)
        .take(most.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|_| Error::invalid("body", "is not the gzip that Content-Encoding says"))?;
    if unpacked.len() > most_bytes {
        return Err(Refusal::BodyTooLarge { most_bytes });
    }
    Ok(Bytes::from(unpacked))
}
