//! Telling people that a budget's threshold was reached: by mail, and by callback to a group.
//!
//! Callbacks follow Standard Webhooks: `webhook-id` is the same with each try, `webhook-signature`
//! is there where a secret is configured.

use crate::metrics::Metrics;
use crate::outgoing::Reachable;
use crate::telling;
use crate::webhooks::{Signer, secret_of};
use anyhow::{Context, bail};
use domain::Error;
use futures::StreamExt;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde::Deserialize;
use serde_json::json;
use service::{Notice, NoticeEnd, Recipient, Reckoner, ThresholdReached, Tried};
use std::collections::HashMap;
use std::time::Duration;
use url::Url;

/// How often it is looked whether usage has come or something is to be told.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Notices that are tried at once.
const AT_ONCE: usize = 8;
/// How long a mail server has for each step.
const MAIL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a group has to answer.
const GROUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The part `mail` of the configuration.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mail {
    /// `smtps://user:password@host`, or `smtp://…?tls=required`.
    smtp: Option<String>,
    /// Who mails are from.
    from: Option<String>,
}

/// A group that budgets may name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupEntry {
    /// Its resource id, as budgets name it; letter case makes no difference.
    id: String,
    /// Where it is told.
    url: String,
    /// The secret that callbacks are signed with: `whsec_` and base64.
    secret: Option<String>,
}

/// Who delivers.
pub(crate) struct Courier {
    client: reqwest::Client,
    groups: HashMap<String, Group>,
    mailer: Option<Mailer>,
}

struct Group {
    url: Url,
    secret: Option<Vec<u8>>,
}

struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Courier {
    /// Reads the configuration.
    pub(crate) fn new(
        mail: Mail,
        groups: Vec<GroupEntry>,
        reachable: &Reachable,
    ) -> anyhow::Result<Courier> {
        let group = |entry: GroupEntry| {
            let GroupEntry { id, url, secret } = entry;
            let what = || format!("callbacks.groups: `{id}`");
            let url = reachable.url(&url).with_context(what)?;
            let secret = secret.as_deref().map(secret_of).transpose().with_context(what)?;
            Ok((id.to_lowercase(), Group { url, secret }))
        };
        let groups = groups.into_iter().map(group).collect::<anyhow::Result<_>>()?;
        let client = reachable.client(GROUP_TIMEOUT).context("make a client for callbacks")?;
        Ok(Courier { client, groups, mailer: Mailer::new(mail)? })
    }

    async fn deliver(&self, notice: &Notice, now_s: i64) -> Tried {
        match &notice.recipient {
            Recipient::Mail(address) => match &self.mailer {
                None => Tried::NoWay("mail.smtp is not configured".to_owned()),
                Some(mailer) => tried(mailer.send(address, notice).await),
            },
            Recipient::Group(id) => match self.groups.get(&id.to_lowercase()) {
                None => Tried::NoWay("callbacks.groups does not name the group".to_owned()),
                Some(group) => tried(self.call(group, notice, now_s).await),
            },
        }
    }

    async fn call(&self, group: &Group, notice: &Notice, now_s: i64) -> anyhow::Result<()> {
        let body = body(&notice.told);
        let mut request = self
            .client
            .post(group.url.clone())
            .timeout(GROUP_TIMEOUT)
            .header("content-type", "application/json")
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", now_s.to_string());
        if let Some(secret) = &group.secret {
            let mut signer = Signer::new(secret, &notice.id, now_s);
            signer.add(body.as_bytes());
            request = request.header("webhook-signature", signer.finish());
        }
        let answer = request.body(body).send().await.context("send a callback")?;
        let status = answer.status();
        if !status.is_success() {
            bail!("the recipient answered {status}");
        }
        Ok(())
    }
}

impl Mailer {
    fn new(mail: Mail) -> anyhow::Result<Option<Mailer>> {
        let Mail { smtp, from } = mail;
        let Some(smtp) = smtp else { return Ok(None) };
        check_smtp(&smtp)?;
        let from = from.context("mail.from: must say who mails are from")?;
        let from = from.parse::<Mailbox>().context("mail.from")?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&smtp);
        // What it says may hold the password.
        let Ok(transport) = transport else { bail!("mail.smtp: is not an address of a server") };
        let transport = transport.timeout(Some(MAIL_TIMEOUT)).build();
        Ok(Some(Mailer { transport, from }))
    }

    async fn send(&self, address: &str, notice: &Notice) -> anyhow::Result<()> {
        let host = self.from.email.domain();
        let (subject, text) = words(&notice.told);
        let message = Message::builder()
            .from(self.from.clone())
            .to(address.parse::<Mailbox>().context("read the mail address")?)
            .message_id(Some(format!("<{}@{host}>", notice.id)))
            .date_now()
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .context("write a mail")?;
        self.transport.send(message).await.context("send a mail")?;
        Ok(())
    }
}

/// Refuses a server to which a password would go in the clear, but on this machine.
fn check_smtp(text: &str) -> anyhow::Result<()> {
    let Ok(url) = Url::parse(text) else { bail!("mail.smtp: is not an address of a server") };
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_secure =
        url.scheme() == "smtps" || url.query_pairs().any(|(k, v)| k == "tls" && v == "required");
    if is_secure || is_here {
        return Ok(());
    }
    bail!("mail.smtp: must be smtps://… or smtp://…?tls=required, unless it is on this machine")
}

/// What a callback says.
fn body(told: &ThresholdReached) -> String {
    let body = json!({
        "type": "budget.threshold_reached",
        "timestamp": told.seen_at,
        "data": told,
    });
    body.to_string()
}

/// Subject and text of a mail.
fn words(told: &ThresholdReached) -> (String, String) {
    let ThresholdReached {
        budget,
        place,
        notification,
        measured,
        amount,
        threshold,
        operator: _,
        cost,
        currency,
        window_start,
        window_end,
        seen_at,
    } = told;
    let what = match measured.as_str() {
        "forecast" => "is expected to cost",
        _ => "has cost",
    };
    let subject = format!("Budget {budget}: {threshold} % of {amount} {currency} reached");
    let text = format!(
        "The window from {window_start} until {window_end} {what} {cost} {currency}.\n\n\
         Budget: {budget}, {amount} {currency}\n\
         Kept at: {place}\n\
         Notification: {notification}, at {threshold} %\n\
         Seen at: {seen_at}\n"
    );
    (subject, text)
}

fn tried(done: anyhow::Result<()>) -> Tried {
    match done {
        Ok(()) => Tried::Delivered,
        Err(error) => Tried::Failed(format!("{error:#}")),
    }
}

/// Holds budgets against what comes in, for as long as the server runs.
pub(crate) async fn check_budgets(reckoner: Reckoner, metrics: Metrics) {
    let mut round = tokio::time::interval(LOOK_EVERY);
    round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        let request_id = uuid::Uuid::new_v4().to_string();
        match reckoner.check_budgets(&request_id).await {
            Ok(0) => {}
            Ok(reached) => tracing::info!(request_id, reached, "thresholds of budgets reached"),
            Err(error) => failed(&error, "checking budgets", &metrics),
        }
    }
}

/// Delivers what is to be told, for as long as the server runs.
pub(crate) async fn deliver(reckoner: Reckoner, courier: Courier, metrics: Metrics) {
    let mut round = tokio::time::interval(LOOK_EVERY);
    round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        match reckoner.claim_notices().await {
            Ok(notices) => {
                let tries = notices.iter().map(|notice| try_one(&reckoner, &courier, notice));
                let tries: Vec<_> = tries.collect();
                let done = futures::stream::iter(tries).buffer_unordered(AT_ONCE);
                let done: Vec<Result<(), Error>> = done.collect().await;
                for error in done.into_iter().filter_map(Result::err) {
                    failed(&error, "noting what was told", &metrics);
                }
            }
            Err(error) => failed(&error, "telling of budgets", &metrics),
        }
    }
}

async fn try_one(reckoner: &Reckoner, courier: &Courier, notice: &Notice) -> Result<(), Error> {
    let tried = courier.deliver(notice, reckoner.system_now().seconds()).await;
    let (notice_id, what) = (notice.id.as_str(), &notice.told.budget);
    let outcome = tried.clone();
    let end = reckoner.notice_tried(notice, tried).await?;
    match (end, outcome) {
        (NoticeEnd::Delivered, _) => tracing::info!(notice_id, budget = %what, "told"),
        (NoticeEnd::GivenUp, Tried::Failed(why)) => {
            tracing::error!(notice_id, budget = %what, why, "nobody was told: given up");
        }
        (_, Tried::Failed(why) | Tried::NoWay(why)) => {
            tracing::debug!(notice_id, budget = %what, why, "not told yet");
        }
        (_, Tried::Delivered) => {}
    }
    Ok(())
}

fn failed(error: &Error, what: &'static str, metrics: &Metrics) {
    if matches!(error, Error::Unavailable { .. }) {
        tracing::info!(%error, "{what} waits");
        return;
    }
    metrics.housekeeping_failed();
    tracing::error!(error = %telling::chain(error), "{what} failed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_to_mail_servers_in_secret() {
        let check = |url: &str, expected: bool| {
            assert_eq!(check_smtp(url).is_ok(), expected, "{url}");
        };
        check("smtps://a:b@mail.example.org", true);
        check("smtp://a:b@mail.example.org?tls=required", true);
        check("smtp://a:b@mail.example.org?tls=opportunistic", false);
        check("smtp://a:b@mail.example.org", false);
        check("smtp://127.0.0.1:2525", true);
        check("mail", false);
    }
}
