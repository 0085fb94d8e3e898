//! What holds for operations of Azure Billing whatever they are about: all are counted.

use crate::azure_billing_calls::{Ask, Operation, send, served};
use crate::books::Books;
use crate::installation::Installation;

/// A question with names that nobody has.
fn of_nothing(operation: &Operation) -> Ask {
    let parameters = operation
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')));
    parameters.fold(Ask::of(operation), |ask, parameter| ask.named(parameter, "x"))
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
