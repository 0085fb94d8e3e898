//! Enterprise keys: signed texts that say whose they are and when they hold. Whether one was
//! revoked is the books' business.
//!
//! Source: `enterprise-reporting.md` section 1.5, claims of the documented sample key.

use crate::verifier::{Claims, TOKEN_MOST_BYTES, prove};
use crate::{AuthError, Issuer};
use calendar::Instant;
use domain::{Error, Result};
use jsonwebtoken::{Algorithm, Header};
use serde_json::json;
use zeroize::Zeroizing;

/// Who signs, as the documented sample spells it.
const ISSUER: &str = "ea.microsoftazure.com";
/// For whom, as the documented sample spells it.
const AUDIENCE: &str = "client.ea.microsoftazure.com";

/// What an enterprise key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseClaims {
    /// The key's public id: a GUID.
    pub key_id: String,
    /// The enrollment.
    pub enrollment: String,
    /// The department that it is narrowed to; empty if to none.
    pub department: String,
    /// The enrollment account that it is narrowed to; empty if to none.
    pub account: String,
    /// From when it holds. In whole seconds.
    pub not_before: Instant,
    /// Until when, exclusive. In whole seconds.
    pub expires: Instant,
}

impl EnterpriseClaims {
    /// Whose reports are seen: what was documented of a key of a whole enrollment is `System`.
    fn report_view(&self) -> &'static str {
        match (self.department.is_empty(), self.account.is_empty()) {
            (true, true) => "System",
            (_, false) => "Account",
            (false, true) => "Department",
        }
    }
}

impl Issuer {
    /// The text of a key. The same claims give the same text, so that a key can be shown again
    /// though its text is kept nowhere.
    ///
    /// Errors: [`Error::Internal`] when signing fails.
    pub fn enterprise_key(&self, claims: &EnterpriseClaims) -> Result<Zeroizing<String>> {
        let EnterpriseClaims { key_id, enrollment, department, account, not_before, expires } =
            claims;
        let claims = json!({
            "EnrollmentNumber": enrollment,
            "Id": key_id,
            "ReportView": claims.report_view(),
            "PartnerId": "",
            "DepartmentId": department,
            "AccountId": account,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "nbf": not_before.seconds(),
            "exp": expires.seconds(),
        });
        let header =
            Header { x5t: Some(self.key_id().to_owned()), ..Header::new(Algorithm::RS256) };
        let text = jsonwebtoken::encode(&header, &claims, self.signing());
        text.map(Zeroizing::new)
            .map_err(|cause| Error::internal("signing an enterprise key", cause))
    }

    /// What a key says that this issuer signed. When it holds is not asked: the books say that too,
    /// and may say less.
    ///
    /// Errors: [`AuthError::Missing`], [`AuthError::Malformed`], [`AuthError::WrongIssuer`],
    /// [`AuthError::WrongAudience`], [`AuthError::BadSignature`].
    pub fn read_enterprise_key(
        &self,
        text: &str,
    ) -> std::result::Result<EnterpriseClaims, AuthError> {
        if text.is_empty() {
            return Err(AuthError::Missing);
        }
        if text.len() > TOKEN_MOST_BYTES {
            return Err(AuthError::Malformed);
        }
        let header = jsonwebtoken::decode_header(text).map_err(|_| AuthError::Malformed)?;
        if header.crit.is_some() {
            return Err(AuthError::Malformed);
        }
        if header.alg != Algorithm::RS256 {
            return Err(AuthError::BadSignature);
        }
        let claims = prove(text, self.proving(), Algorithm::RS256)?;
        if claims.text("iss") != Some(ISSUER) {
            return Err(AuthError::WrongIssuer);
        }
        if claims.text("aud") != Some(AUDIENCE) {
            return Err(AuthError::WrongAudience);
        }
        read(&claims)
    }
}

fn read(claims: &Claims) -> std::result::Result<EnterpriseClaims, AuthError> {
    let text = |name: &str| claims.text(name).map(str::to_owned).ok_or(AuthError::Malformed);
    let moment = |name: &str| -> std::result::Result<Instant, AuthError> {
        let seconds = claims.seconds(name)?.ok_or(AuthError::Malformed)?;
        Ok(Instant::EPOCH.plus_seconds(seconds))
    };
    Ok(EnterpriseClaims {
        key_id: text("Id")?,
        enrollment: text("EnrollmentNumber")?,
        department: text("DepartmentId")?,
        account: text("AccountId")?,
        not_before: moment("nbf")?,
        expires: moment("exp")?,
    })
}
