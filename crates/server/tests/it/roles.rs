//! Roles: what one gives, and that it can be taken away again.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::program;

/// A subscription and a client that may be given roles on it.
const DECLARED: &str = r#"
[[offer]]
id = "MS-AZR-0003P"
name = "Pay-as-you-go"
has_rate_card = true

[[subscription]]
id = "shop"
name = "Shop"
placements = [{ billing_account = "acme", offer = "MS-AZR-0003P" }]

[[client]]
id = "guest"
name = "Guest"
secret_hashes = ["{HASH}"]
"#;

const USAGE: &str = "/subscriptions/shop/providers/Microsoft.Commerce/UsageAggregates\
    ?api-version=2015-06-01-preview&reportedStartTime=2026-03-01T00:00:00Z\
    &reportedEndTime=2026-03-02T00:00:00Z";

/// The guest's role, at a place and with an end.
fn role(name: &str, scope: &str, end: &str) -> String {
    let head = format!("[[role_assignment]]\nprincipal = \"guest\"\nrole = \"{name}\"\n");
    format!("{head}scope = {scope}\n{end}\n")
}

/// Statuses of usage and of the audit log, as the guest asks.
async fn may(installation: &Installation, secret: &str) -> (u16, u16) {
    let server = installation.serve(&[]);
    let audience = "https://management.azure.com";
    let token = installation.token_of(&server, ("guest", secret), audience).await;
    let token = token.expect("the guest is known");
    let mut statuses = Vec::new();
    for path in [USAGE, "/admin/v1/audit"] {
        let answer = server.get(path, Some(&token)).send().await.expect("an answer");
        statuses.push(answer.status().as_u16());
    }
    server.stop();
    (statuses[0], statuses[1])
}

async fn a_role_that_was_granted_can_be_taken_away(books: Books) {
    let told = program::run(&["secret"], &[]);
    let word = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().to_owned()
    };
    let secret = word("secret");
    let declared = DECLARED.replace("{HASH}", &word("hash"));
    let installation = Installation::new(books, "USD", &declared);
    let (shop, all) = ("{ subscription = \"shop\" }", "\"installation\"");
    let steps = [
        // Without a role the guest is told that there is no such subscription.
        (role("Reader", shop, "revoked = true"), "+ role_assignment", (404, 403)),
        (role("Reader", shop, ""), "revoked: true -> -", (200, 403)),
        (role("Reader", shop, "until = 2099-01-01"), "until: -", (200, 403)),
        (role("Reader", shop, "until = 2026-01-01"), "-> \"2026-01-01T", (404, 403)),
        (role("Auditor", all, ""), "+ role_assignment", (200, 200)),
        (role("Auditor", all, "revoked = true"), "revoked: - -> true", (404, 403)),
    ];
    for (declared, shown, expected) in steps {
        installation.declare("guest.toml", &declared);
        let told = installation.apply();
        assert!(told.contains(shown), "{declared}\n{told}");
        assert_eq!(may(&installation, &secret).await, expected, "{declared}");
        assert!(installation.apply().contains("0 to change"), "{declared}");
    }
}

on_each_store!(a_role_that_was_granted_can_be_taken_away);

async fn the_last_administrator_cannot_be_revoked(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let before = installation.company_text();
    let given = "role = \"Administrator\"\nscope = \"installation\"";
    let taken = before.replace(given, &format!("{given}\nrevoked = true"));
    installation.declare("company.toml", &taken);
    let told = installation.refused(&["apply", "--yes", &installation.company_path()]);
    assert!(told.contains("company.toml:14: role_assignment[0].revoked: "), "{told}");
    assert!(told.contains("is the last Administrator of the installation"), "{told}");
    assert!(told.contains("nothing was changed"), "{told}");
    installation.declare("other.toml", &role("Administrator", "\"installation\"", ""));
    assert!(installation.apply().contains("revoked: - -> true"));
}

on_each_store!(the_last_administrator_cannot_be_revoked);

async fn the_last_owner_of_a_billing_account_cannot_be_revoked(books: Books) {
    let agreement = "[[agreement]]\nbilling_account = \"acme\"\nfrom = 2026-01-01T00:00:00Z\n\
                     type = \"customer agreement\"\n";
    let installation = Installation::new(books, "USD", agreement);
    let at = "{ billing_account = \"acme\" }";
    let of = |principal: &str, end: &str| {
        role("Billing Account Owner", at, end).replace("guest", principal)
    };
    let refused = |says: &str| {
        let told = installation.refused(&["apply", "--yes", &installation.company_path()]);
        assert!(told.contains(says) && told.contains("nothing was changed"), "{told}");
    };
    installation.declare("roles.toml", &of("ann", ""));
    assert!(installation.apply().contains("+ role_assignment"));
    installation.declare("roles.toml", &of("ann", "revoked = true"));
    refused("role_assignment[0].revoked: `ann` is the last one given there");
    // A reader is no owner.
    let reader = role("Billing Account Reader", at, "").replace("guest", "bob");
    installation.declare("roles.toml", &[of("ann", "revoked = true"), reader].concat());
    refused("role_assignment[0].revoked: `ann` is the last owner there");
    installation.declare("roles.toml", &[of("ann", "revoked = true"), of("bob", "")].concat());
    assert!(installation.apply().contains("revoked: - -> true"));
}

on_each_store!(the_last_owner_of_a_billing_account_cannot_be_revoked);
