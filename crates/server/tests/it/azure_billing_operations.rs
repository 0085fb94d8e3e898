//! What holds for operations of Azure Billing whatever they are about: those that are not served yet
//! say so, and all are counted.

use crate::azure_billing_calls::{Ask, FIRST, Operation, SECOND, not_yet, send, served};
use crate::azure_billing_refusals::has;
use crate::books::Books;
use crate::installation::Installation;

/// Operations that declare no version and are not served yet.
const UNDECLARED: [&str; 13] = [
    "PartnerTransfers_Cancel",
    "PartnerTransfers_Get",
    "PartnerTransfers_Initiate",
    "PartnerTransfers_List",
    "RecipientTransfers_Accept",
    "RecipientTransfers_Decline",
    "RecipientTransfers_Get",
    "RecipientTransfers_List",
    "RecipientTransfers_Validate",
    "Transfers_Cancel",
    "Transfers_Get",
    "Transfers_Initiate",
    "Transfers_List",
];

/// A question with names that nobody has.
fn of_nothing(operation: &Operation) -> Ask {
    let parameters = operation
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')));
    parameters.fold(Ask::of(operation), |ask, parameter| ask.named(parameter, "x"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_yet_needs_a_version_where_it_declares_one() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let settings = [("RECKONER_LIMITS__REQUEST_BURST", "100000")];
    let server = installation.serve(&settings);
    let token = installation.token(&server).await;
    for operation in not_yet() {
        let ask = of_nothing(&operation);
        let check = async |ask: Ask, expected: &str| {
            let told = send(&server, Some(&token), &ask).await;
            assert_eq!(told.line(), expected, "{} {}", operation.version, operation.id);
        };
        check(ask.clone(), "501 NotImplemented").await;
        let is_undeclared = operation.version == FIRST && UNDECLARED.contains(&operation.id);
        let unasked =
            if is_undeclared { "501 NotImplemented" } else { "400 MissingApiVersionParameter" };
        check(ask.clone().without("api-version"), unasked).await;
        let unknown = ask.clone().asking("api-version", "2001-01-01");
        check(unknown, "400 InvalidApiVersionParameter").await;
        let other = if operation.version == FIRST { SECOND } else { FIRST };
        if !has(other, &operation) {
            check(ask.asking("api-version", other), "404 InvalidResourceType").await;
        }
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_any_operation_too_often_is_told_when_to_come_back() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let settings =
        [("RECKONER_LIMITS__REQUEST_BURST", "1"), ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1")];
    let server = installation.serve(&settings);
    let token = installation.token(&server).await;
    for operation in served() {
        let ask = of_nothing(&operation);
        let mut told = send(&server, Some(&token), &ask).await;
        // The first of a second is answered.
        for _ in 0..4 {
            if told.status != 429 {
                told = send(&server, Some(&token), &ask).await;
            }
        }
        let told = (told.line(), told.header("retry-after").to_owned());
        assert_eq!(told, ("429 TooManyRequests".to_owned(), "1".to_owned()), "{}", operation.id);
    }
    server.stop();
}
