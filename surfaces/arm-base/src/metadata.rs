//! Cloud metadata: what `az cloud register` reads of a cloud.

use armkit::{ArmError, Query, api_version};
use axum::Json;
use httpkit::BaseUrl;
use serde_json::{Value, json};

const VERSIONS: [&str; 4] = ["2022-09-01", "2020-06-01", "2019-05-01", "2018-05-01"];

/// Says where to sign in and where resources are.
///
/// Source: `clients.md`, "az from nothing".
pub(crate) async fn endpoints(base: BaseUrl, query: Query) -> Result<Json<Value>, ArmError> {
    api_version(&query, &VERSIONS)?;
    let base = base.to_string();
    Ok(Json(json!({
        "name": "Reckoner",
        "portal": base,
        "resourceManager": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": [base, "https://management.azure.com"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {},
    })))
}
