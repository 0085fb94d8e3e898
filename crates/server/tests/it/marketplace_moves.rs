//! What a subscription has bought in the marketplace, where it is to be moved: that is looked up for
//! who may read the subscription, and for nobody else; and once more when it is carried out.

use crate::azure_billing_moves::{buy, company, house};
use crate::books::{Books, on_each_store};
use crate::closing::House;
use crate::in_process;
use crate::structure_changes::{asked, standing};
use domain::moves::Obstacle;
use service::{
    Condition, FailureKind, HoldingId, HoldingMove, JobStanding, Reach, SectionAsked,
    StructureChange,
};

/// A move of a `subscription ferry` to a section: `docks/piers`.
fn moved(of: &str, to: &str) -> StructureChange {
    let (kind, id) = of.split_once(' ').expect("a kind and an id");
    let holding = match kind {
        "subscription" => HoldingId::Subscription(id.to_owned()),
        _ => HoldingId::Product(id.to_owned()),
    };
    let (profile, section) = to.split_once('/').expect("a profile and a section");
    let section = SectionAsked {
        account: "acme".to_owned(),
        profile: profile.to_owned(),
        section: section.to_owned(),
    };
    let (source, section, profile) = (None, Some(section), None);
    StructureChange::Move(HoldingMove { holding, source, section, profile, reach: Reach::Account })
}

/// Where no column may be grouped by, what is looked up is refused.
const LOOKED_UP: &str = "columns to group by is at most 0; set `limits.group_columns` to change it";

/// Who moves what, and what that comes to.
const ASKED: [(&str, &str, &str); 9] = [
    ("ada", "subscription ferry", LOOKED_UP),
    ("root", "subscription ferry", LOOKED_UP),
    // It reads it, and may not move it.
    ("cy", "subscription ferry", LOOKED_UP),
    ("zoe", "subscription ferry", "subscription `ferry` does not exist"),
    // Another account pays for it.
    ("ada", "subscription store", "subscription `store` does not exist"),
    ("ada", "subscription nothing", "subscription `nothing` does not exist"),
    // Products buy nothing there.
    ("ada", "product rope", "accepted"),
    ("zoe", "product rope", "product `rope` does not exist"),
    ("ada", "product nothing", "product `nothing` does not exist"),
];

on_each_store!(what_was_bought_is_looked_up_for_who_reads_it_only);
async fn what_was_bought_is_looked_up_for_who_reads_it_only(books: Books) {
    let house = House::with(books, |config| config.limits.group_columns = 0).await;
    in_process::declare(&house.reckoner, &company()).await;
    for (name, of, expected) in ASKED {
        let change = moved(of, "docks/piers");
        let told = asked(&house.reckoner, (name, "acme"), change, Condition::Always).await;
        let found = told.map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
        assert_eq!(found, expected, "{name} {of}");
    }
}

on_each_store!(what_is_bought_until_a_move_is_carried_out_counts);
async fn what_is_bought_until_a_move_is_carried_out_counts(books: Books) {
    let house = house(books).await;
    let ask = async || {
        let change = moved("subscription buyer", "strict/market");
        asked(&house.reckoner, ("ada", "acme"), change, Condition::Always).await
    };
    let job = ask().await.expect("accepted");
    buy(&house, "buyer").await;
    assert_eq!(house.reckoner.carry_out_jobs().await.expect("carried out"), 1);
    let JobStanding::Failed(failure) = standing(&house.reckoner, "ada", &job).await else {
        panic!("it was moved");
    };
    assert_eq!(failure.kind, FailureKind::CannotMove(Obstacle::MarketplaceClosed));
    assert_eq!(ask().await.expect_err("refused").to_string(), failure.problem);
}
