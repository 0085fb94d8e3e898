//! Rights that change after a usage query was asked: what it tells, by which secret it is signed, and
//! what becomes of queries while something is wanting.

use crate::books::{Books, Schema, on_each_store};
use crate::in_process::{self, ACCOUNT};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use calendar::{BillingPeriod, Instant, SetClock};
use domain::Error;
use domain::access::Caller;
use domain::ids::PrincipalId;
use domain::usage_queries::{
    UsageColumn, UsageFilter, UsageOptions, UsageQuestion, effective_columns,
};
use service::{
    CallbackAddress, CallbackAnswer, CallbackState, CallbackTold, CallbackTried, DueCallback,
    Reckoner, UsageAnswer, UsageQueryAsked, UsageQueryState, UsageShape,
};
use std::sync::Arc;

/// Two messaging accounts of `acme`; nothing was used at either.
const COMPANY: &str = r#"
[[agreement]]
billing_account = "acme"
from = 2020-01-01T00:00:00Z
type = "messaging agreement"

[[messaging_account]]
billing_account = "acme"
id = "north"
from = 2020-01-01T00:00:00Z
name = "North"

[[messaging_account]]
billing_account = "acme"
id = "south"
from = 2020-01-01T00:00:00Z
name = "South"
"#;

/// Seconds for which results can be read.
const READ_S: i64 = 3_600;
const UNSEEN: &str = "who asked may no longer read it";

/// The role by which somebody sees the whole company, or one account.
fn role(principal: &str, account: Option<&str>, more: &str) -> String {
    let (role, scope) = match account {
        None => ("Finance Manager", "{ billing_account = \"acme\" }".to_owned()),
        Some(id) => (
            "Sub-account User",
            format!(
                "{{ place = {{ billing_account = \"acme\", level = \"messaging account\", \
                 id = \"{id}\" }} }}"
            ),
        ),
    };
    format!(
        "[[role_assignment]]\nprincipal = \"{principal}\"\nrole = \"{role}\"\nscope = {scope}\n\
         {more}\n\n"
    )
}

fn spelled(_: &str, answer: &UsageAnswer, write: &mut dyn FnMut(&str)) {
    write(&format!("{} rows", answer.rows.len()));
}

fn broken(_: &str, _: &UsageAnswer, _: &mut dyn FnMut(&str)) {
    panic!("as the test wants it")
}

fn failed(_: &str, why: &str) -> String {
    why.to_owned()
}

/// The company, on a clock.
struct House {
    reckoner: Reckoner,
    clock: SetClock,
    _directory: tempfile::TempDir,
    _schema: Option<Schema>,
}

impl House {
    async fn new(books: Books, roles: &str) -> House {
        let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
        let clock = SetClock::at(Instant::parse("2026-06-05T12:00:00Z").expect("a moment"));
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |config| {
            config.limits.usage_result_seconds = u64::try_from(READ_S).expect("positive");
        })
        .await;
        in_process::declare(&reckoner, &[ACCOUNT, COMPANY, roles].concat()).await;
        reckoner.show_usage_with("test", UsageShape { success: spelled, failure: failed });
        reckoner.judge_callbacks_with(Arc::new(|url: &str| {
            let receiver = "receiver:443".to_owned();
            Ok::<_, String>(CallbackAddress { url: url.to_owned(), receiver })
        }));
        House { reckoner, clock, _directory: directory, _schema: schema }
    }

    async fn declare(&self, roles: &[String]) {
        in_process::declare(&self.reckoner, &roles.concat()).await;
    }

    fn later(&self, seconds: i64) {
        self.clock.set(self.reckoner.system_now().plus_seconds(seconds));
    }

    /// Asks for June; the query's id.
    async fn ask(&self, who: &str, surface: &'static str) -> String {
        let month = BillingPeriod::parse("2026-06").expect("a month");
        let question = UsageQuestion {
            days: month.start().day()..month.end().day(),
            columns: effective_columns(&[UsageColumn::AccountKey]),
            filter: UsageFilter::default(),
            unfinalized: true,
            options: UsageOptions::default(),
        };
        let callback_url = Some("https://receiver/hook".to_owned());
        let asked = UsageQueryAsked { callback_url, question, surface };
        let told = self.reckoner.submit_usage_query(&caller(who), &asked, "test").await;
        told.expect("taken").id
    }

    /// Asks, and has it answered.
    async fn answered(&self, who: &str) -> String {
        let id = self.ask(who, "test").await;
        assert_eq!(self.reckoner.carry_out_usage_queries().await.expect("carried out"), 1);
        id
    }

    async fn state(&self, who: &str, id: &str) -> UsageQueryState {
        self.reckoner.usage_query(&caller(who), id).await.expect("a query").state
    }

    async fn callback(&self, who: &str, id: &str) -> CallbackTold {
        let told = self.reckoner.usage_query(&caller(who), id).await.expect("a query");
        told.callback.expect("a callback")
    }

    /// Whether a result is told and sent again, or is like one that is not there.
    async fn is_told(&self, who: &str, id: &str) -> [bool; 2] {
        let read = self.reckoner.usage_result(&caller(who), id).await.map(drop);
        let sent = self.reckoner.resend_usage_result(&caller(who), id, "test").await.map(drop);
        [read, sent].map(|told| match told {
            Ok(()) => true,
            Err(Error::NotFound { .. }) => false,
            Err(error) => panic!("{who}: {error}"),
        })
    }

    async fn claim(&self) -> Vec<DueCallback> {
        self.reckoner.claim_callbacks(9).await.expect("claimed")
    }

    /// Notes that a receiver refused it.
    async fn refused(&self, due: &DueCallback) {
        let answer = CallbackAnswer::Status { status: 500, retry_after_s: None };
        let tried = CallbackTried { at: self.reckoner.system_now(), took_ms: 1, answer };
        self.reckoner.callback_tried(due, tried).await.expect("noted");
    }

    async fn secret(&self, who: &str) -> String {
        self.reckoner.callback_secret(&caller(who)).await.expect("a secret")
    }
}

fn caller(who: &str) -> Caller {
    Caller::Principal(PrincipalId::new(who).expect("an id"))
}

on_each_store!(a_result_is_told_only_as_long_as_its_asker_may_see_what_it_tells);
async fn a_result_is_told_only_as_long_as_its_asker_may_see_what_it_tells(books: Books) {
    let roles = [
        role("fina", None, ""),
        role("nora", Some("north"), ""),
        // The last one anywhere keeps the role.
        role("frank", None, ""),
        role("nils", Some("north"), ""),
        role("sven", Some("south"), ""),
    ];
    let house = House::new(books, &roles.concat()).await;
    let (whole, part) = (house.answered("fina").await, house.answered("nora").await);
    let both = [("fina", &whole), ("nora", &part)];
    let due = house.claim().await;
    assert_eq!(due.len(), 2);
    for due in &due {
        house.reckoner.callback_letter(due).await.expect("a letter");
        house.refused(due).await;
    }
    // One sees less of the company than it was told, the other another account.
    let less = [
        role("fina", None, "revoked = true"),
        role("fina", Some("north"), ""),
        role("nora", Some("north"), "revoked = true"),
        role("nora", Some("south"), ""),
    ];
    house.declare(&less).await;
    for (who, id) in both {
        assert_eq!(house.is_told(who, id).await, [false, false], "{who}");
        assert_eq!(house.callback(who, id).await.state, CallbackState::Pending, "{who}");
    }
    house.later(60);
    assert!(house.claim().await.is_empty(), "nothing is delivered");
    for (who, id) in both {
        let told = house.callback(who, id).await;
        assert_eq!((told.state, told.outcome.as_str()), (CallbackState::Dead, UNSEEN), "{who}");
        assert_eq!((told.tries, told.attempts.len()), (1, 1), "{who}");
    }
    // Who sees nothing at all is told nothing either.
    house.declare(&[role("nora", Some("south"), "revoked = true")]).await;
    assert_eq!(house.is_told("nora", &part).await, [false, false]);
    // Who sees as much again, or more, is told, and it is sent on demand.
    house.declare(&[role("fina", None, ""), role("nora", None, "")]).await;
    for (who, id) in both {
        assert_eq!(house.is_told(who, id).await, [true, true], "{who}");
    }
    assert_eq!(house.claim().await.len(), 2);
}

on_each_store!(results_are_signed_for_who_sees_the_same_and_nobody_else);
async fn results_are_signed_for_who_sees_the_same_and_nobody_else(books: Books) {
    let roles = [
        role("fina", None, ""),
        role("frank", None, ""),
        role("nora", Some("north"), ""),
        role("nils", Some("north"), ""),
        role("sven", Some("south"), ""),
        role("both", Some("north"), ""),
        role("both", Some("south"), ""),
    ];
    let house = House::new(books, &roles.concat()).await;
    let whole = house.secret("fina").await;
    let [north, south, both] =
        [house.secret("nora").await, house.secret("sven").await, house.secret("both").await];
    assert_eq!(house.secret("frank").await, whole);
    assert_eq!(house.secret("nils").await, north);
    let all = std::collections::BTreeSet::from([&whole, &north, &south, &both]);
    assert_eq!(all.len(), 4, "each sees something else");
    // Who sees another account from now on has its secret, and no longer that of the first.
    let moved = [role("nils", Some("north"), "revoked = true"), role("nils", Some("south"), "")];
    house.declare(&moved).await;
    assert_eq!(house.secret("nils").await, south);
    // What is asked for by who sees the company, and answered when he sees less of it, is signed
    // as what it tells.
    let id = house.ask("fina", "test").await;
    let less = [role("fina", None, "revoked = true"), role("fina", Some("north"), "")];
    house.declare(&less).await;
    assert_eq!(house.reckoner.carry_out_usage_queries().await.expect("carried out"), 1);
    assert_eq!(house.state("fina", &id).await, UsageQueryState::Succeeded);
    let due = house.claim().await;
    let letter = house.reckoner.callback_letter(&due[0]).await.expect("a letter");
    assert_eq!(format!("whsec_{}", BASE64_STANDARD.encode(letter.secret)), north);
    assert_eq!(house.secret("fina").await, north);
}

on_each_store!(what_something_is_wanting_for_waits_however_often_it_is_begun);
async fn what_something_is_wanting_for_waits_however_often_it_is_begun(books: Books) {
    let house = House::new(books, &role("fina", None, "")).await;
    let waiting = house.ask("fina", "elsewhere").await;
    for _ in 0..120 {
        let ended = house.reckoner.carry_out_usage_queries().await.expect("carried out");
        assert_eq!((ended, house.state("fina", &waiting).await), (0, UsageQueryState::Queued));
        house.later(30);
    }
    // It holds up nobody else.
    let other = house.answered("fina").await;
    assert_eq!(house.state("fina", &other).await, UsageQueryState::Succeeded);
    house.later(30);
    house.reckoner.show_usage_with("elsewhere", UsageShape { success: spelled, failure: failed });
    assert_eq!(house.reckoner.carry_out_usage_queries().await.expect("carried out"), 1);
    assert_eq!(house.state("fina", &waiting).await, UsageQueryState::Succeeded);
}

on_each_store!(what_has_expired_is_forgotten_though_there_is_always_work);
async fn what_has_expired_is_forgotten_though_there_is_always_work(books: Books) {
    let house = House::new(books, &role("fina", None, "")).await;
    house.reckoner.show_usage_with("broken", UsageShape { success: broken, failure: failed });
    let old = house.answered("fina").await;
    let kept = house.answered("fina").await;
    for due in house.claim().await {
        house.refused(&due).await;
    }
    let cancelled = house.reckoner.cancel_usage_query(&caller("fina"), &old, "test").await;
    assert_eq!(cancelled.expect("cancelled").state, UsageQueryState::Succeeded);
    house.later(READ_S + 1);
    // The work comes to a bad end before all of it is done.
    house.ask("fina", "broken").await;
    house.reckoner.carry_out_usage_queries().await.expect_err("it is our fault");
    let missing = house.reckoner.usage_query(&caller("fina"), &old).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
    let owed = house.callback("fina", &kept).await;
    assert_eq!(owed.state, CallbackState::Pending, "what is owed is not forgotten");
    house.later(30 * 86_400);
    house.reckoner.carry_out_usage_queries().await.expect("carried out");
    house.reckoner.keep_house().await.expect("kept");
    let due = house.claim().await;
    let late = due.iter().find(|due| due.id == owed.id).expect("still owed, however late");
    house.reckoner.callback_letter(late).await.expect("a letter");
}
