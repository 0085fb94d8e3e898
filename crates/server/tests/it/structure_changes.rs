//! Changing structure and access: who may, what is refused, and that what was accepted is carried
//! out once.

use crate::books::{Books, Schema, WhereBooksAre, on_each_store};
use crate::in_process::{ACCOUNT, SHOP, declare, open};
use calendar::{Instant, SetClock};
use domain::access::{Caller, Role, Scope};
use domain::agreements::Permission;
use domain::ids::{BillingAccountId, InstructionId, PlaceId, PrincipalId, SubscriptionId};
use domain::places::{Detail, Level, Place, PlaceKey};
use money::Fixed18;
use service::{
    AccountChange, AuditFilter, Condition, Config, FailureKind, Grantee, IfGiven, InstructionAsked,
    JobAsked, JobFailure, JobStanding, JobTold, PoliciesAsked, ProfileChange, Put, Reckoner,
    RoleAsked, SectionChange, StructureChange,
};
use tempfile::TempDir;

/// A customer that may make profiles, one that may not, an enterprise.
const COMPANY: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[billing_account]]
id = "North"
name = "North"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "North"
from = 2026-01-01T00:00:00Z
type = "customer agreement"
profile_creation = "allowed"

[[billing_account]]
id = "South"
name = "South"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "South"
from = 2026-01-01T00:00:00Z
type = "customer agreement"

[[billing_account]]
id = "union"
name = "Union"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "union"
from = 2026-01-01T00:00:00Z
type = "enterprise agreement"

[agreement.enrollment]
start = 2026-01-01T00:00:00Z
end = 2029-01-01T00:00:00Z
currency = "USD"
country = "US"

[[billing_profile]]
billing_account = "North"
id = "Ships"
from = 2026-01-01T00:00:00Z
name = "Ships"
currency = "USD"

[[billing_profile]]
billing_account = "North"
id = "docks"
from = 2026-01-01T00:00:00Z
name = "Docks"
currency = "USD"
state = "inactive"

[[invoice_section]]
billing_account = "North"
id = "freight"
from = 2026-01-01T00:00:00Z
name = "Freight"
billing_profile = "Ships"

[[enrollment_account]]
billing_account = "union"
id = "lab"
from = 2026-01-01T00:00:00Z
name = "Laboratory"

[[client]]
id = "robot"
name = "Robot"

[[client]]
id = "fay"
name = "Fay"
email = "fay@union.example"

[[subscription]]
id = "ferry"
name = "Ferry"
placements = [{ billing_account = "North", profile = "Ships", offer = "MS-AZR-0003P" }]

[[subscription.standings]]
from = 2026-01-01T00:00:00Z

[subscription.standings.place]
billing_account = "North"
level = "invoice section"
id = "freight"
"#;

/// Who, which role, where.
const ROLES: [(&str, &str, &str); 7] = [
    ("ada", "Billing Account Owner", "North"),
    ("bob", "Billing Profile Contributor", "North/billing profile/Ships"),
    ("cy", "Invoice Section Reader", "North/invoice section/freight"),
    ("dee", "Billing Account Owner", "South"),
    ("eve", "Enterprise Administrator", "union"),
    ("owl", "Account Owner", "union/enrollment account/lab"),
    ("zoe", "Billing Profile Owner", "North/billing profile/Ships"),
];

fn roles() -> String {
    let told = ROLES.iter().map(|(who, role, at)| {
        let at: Vec<&str> = at.split('/').collect();
        let at = match at.as_slice() {
            [account] => format!("{{ billing_account = \"{account}\" }}"),
            [account, level, id] => format!(
                "{{ place = {{ billing_account = \"{account}\", level = \"{level}\", \
                 id = \"{id}\" }} }}"
            ),
            other => panic!("{other:?}"),
        };
        format!("[[role_assignment]]\nprincipal = \"{who}\"\nrole = \"{role}\"\nscope = {at}\n\n")
    });
    told.collect()
}

fn principal(name: &str) -> PrincipalId {
    PrincipalId::new(name).expect("an id")
}

pub(crate) fn who(name: &str) -> Caller {
    Caller::Principal(principal(name))
}

pub(crate) fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("an id")
}

pub(crate) fn place(of: &str, level: Level, id: &str) -> Place {
    let key = PlaceKey { level, id: PlaceId::new(id).expect("an id") };
    Place { billing_account: account(of), key }
}

pub(crate) struct House {
    pub(crate) directory: TempDir,
    pub(crate) schema: Option<Schema>,
    pub(crate) clock: SetClock,
    pub(crate) reckoner: Reckoner,
}

impl House {
    /// See [`WhereBooksAre`].
    pub(crate) fn books(&self) -> WhereBooksAre<'_> {
        (self.directory.path(), self.schema.as_ref())
    }
}

/// What a house declares.
pub(crate) fn declared() -> String {
    [ACCOUNT, SHOP, COMPANY, &roles()].concat()
}

pub(crate) async fn house(books: Books) -> House {
    house_with(books, |_| {}).await
}

pub(crate) async fn house_with(books: Books, set: impl FnOnce(&mut Config)) -> House {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-06-05").expect("a day"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, set).await;
    declare(&reckoner, &declared()).await;
    House { directory, schema, clock, reckoner }
}

pub(crate) fn renamed(name: &str) -> StructureChange {
    let name = Some(name.to_owned());
    StructureChange::Account(AccountChange { name, address: None })
}

pub(crate) fn profile(id: &str, put: Put, name: &str) -> StructureChange {
    let (id, name) = (id.to_owned(), Some(name.to_owned()));
    let (address, order_number, tags) = (None, None, None);
    StructureChange::Profile(ProfileChange { id, put, name, address, order_number, tags })
}

pub(crate) fn section(profile: &str, id: &str, put: Put, name: &str) -> StructureChange {
    let (profile, id, name) = (profile.to_owned(), id.to_owned(), Some(name.to_owned()));
    StructureChange::Section(SectionChange { profile, id, put, name, tags: None })
}

pub(crate) async fn asked(
    reckoner: &Reckoner,
    (name, of): (&str, &str),
    change: StructureChange,
    condition: Condition,
) -> domain::Result<JobTold> {
    let asked = JobAsked {
        surface: "test",
        version: "1",
        operation: "Change",
        billing_account: account(of),
        change,
        condition,
    };
    reckoner.accept_job(&who(name), asked, "request").await
}

pub(crate) async fn accepted(reckoner: &Reckoner, name: &str, change: StructureChange) -> JobTold {
    asked(reckoner, (name, "North"), change, Condition::Always).await.expect("accepted")
}

pub(crate) async fn standing(reckoner: &Reckoner, name: &str, job: &JobTold) -> JobStanding {
    reckoner.job(&who(name), "test", &job.id).await.expect("a job").standing
}

/// The name of a billing profile of North; none while there is none.
pub(crate) async fn name_of(reckoner: &Reckoner, id: &str) -> Option<String> {
    let way = [(Level::BillingProfile, id)];
    let found = reckoner.place(&who("ada"), &account("North"), &way).await;
    found.ok().map(|told| told.name)
}

on_each_store!(who_may_change_what_and_what_is_refused);
async fn who_may_change_what_and_what_is_refused(books: Books) {
    use Put::{Made, Refused};
    let House { reckoner, .. } = &house(books).await;
    let check = async |by: (&str, &str), change: StructureChange, expected: &str| {
        let told = asked(reckoner, by, change.clone(), Condition::Always).await;
        let told = told.map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
        assert_eq!(told, expected, "{by:?} {change:?}");
    };
    let north = |name| (name, "North");
    let piers = || profile("piers", Made, "Piers");
    check(north("ada"), piers(), "accepted").await;
    check(north("bob"), piers(), "profiles:create is not allowed here").await;
    check(north("cy"), piers(), "profiles:create is not allowed here").await;
    check(north("nobody"), piers(), "billing account `North` does not exist").await;
    let says = "its agreement allows no new billing profiles; ask the seller";
    check(("dee", "South"), piers(), &format!("billing account `South`: {says}")).await;
    for name in ["ada", "bob", "zoe"] {
        check(north(name), profile("ships", Refused, "Ferries"), "accepted").await;
    }
    let ships = || profile("Ships", Made, "Ferries");
    check(north("cy"), ships(), "place:manage is not allowed here").await;
    check(north("dee"), ships(), "billing account `North` does not exist").await;
    let says = "billing profile `docks`: is inactive: nothing of it changes";
    check(north("ada"), profile("docks", Made, "Piers"), says).await;
    let says = "billing profile `nowhere` does not exist";
    check(north("ada"), profile("nowhere", Refused, "Piers"), says).await;
    check(north("ada"), profile("piers", Made, " "), "name: must not be empty").await;
    let says = "name in the address: a new billing profile is named by 1 to 64 letters, digits \
                and -_.:";
    check(north("ada"), profile("a/b", Made, "Piers"), says).await;
    let cargo = |of| section(of, "cargo", Made, "Cargo");
    check(north("ada"), cargo("Ships"), "accepted").await;
    check(north("bob"), cargo("ships"), "accepted").await;
    check(north("cy"), cargo("Ships"), "sections:create is not allowed here").await;
    check(north("cy"), cargo("docks"), "billing profile `docks` does not exist").await;
    let says = "billing profile `docks`: is not active: nothing can be put there";
    check(north("ada"), cargo("docks"), says).await;
    let says = "invoice section `freight`: is there already; take another name";
    check(north("ada"), section("docks", "freight", Made, "Freight"), says).await;
    let says = "invoice section `cargo` does not exist";
    check(north("ada"), section("Ships", "cargo", Refused, "Cargo"), says).await;
    check(north("ada"), renamed("Norden"), "accepted").await;
    check(north("bob"), renamed("Norden"), "place:manage is not allowed here").await;
    check(("eve", "union"), renamed("Onion"), "place:manage is not allowed here").await;
}

on_each_store!(a_job_goes_on_after_a_crash_and_ends_once);
async fn a_job_goes_on_after_a_crash_and_ends_once(books: Books) {
    let House { directory, schema, clock, reckoner } = house(books).await;
    let piers = profile("piers", Put::Made, "Piers");
    let job = accepted(&reckoner, "ada", piers).await;
    assert_eq!(job.standing, JobStanding::Running);
    assert_eq!(name_of(&reckoner, "piers").await, None);
    reckoner.close().await.expect("closed");
    drop(reckoner);
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    assert_eq!(standing(&reckoner, "ada", &job).await, JobStanding::Running);
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 1);
    assert_eq!(standing(&reckoner, "ada", &job).await, JobStanding::Succeeded);
    assert_eq!(name_of(&reckoner, "piers").await.as_deref(), Some("Piers"));
    let version = reckoner.company(&Caller::Machine).await.expect("the company").version;
    reckoner.close().await.expect("closed");
    drop(reckoner);
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 0);
    assert_eq!(reckoner.company(&Caller::Machine).await.expect("the company").version, version);
    assert_eq!(standing(&reckoner, "ada", &job).await, JobStanding::Succeeded);
    // Nobody else is told that it is there.
    for (name, surface) in [("bob", "test"), ("dee", "test"), ("ada", "other")] {
        let told = reckoner.job(&who(name), surface, &job.id).await.expect_err("not theirs");
        assert_eq!(told.to_string(), format!("operation `{}` does not exist", job.id), "{name}");
    }
}

on_each_store!(the_same_change_while_it_runs_is_the_same_job);
async fn the_same_change_while_it_runs_is_the_same_job(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let piers = |name| profile("piers", Put::Made, name);
    let first = accepted(reckoner, "ada", piers("Piers")).await;
    assert_eq!(accepted(reckoner, "ada", piers("Piers")).await.id, first.id);
    let other = accepted(reckoner, "ada", piers("Quays")).await;
    assert_ne!(other.id, first.id);
    // In the order in which they came.
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 2);
    assert_eq!(name_of(reckoner, "piers").await.as_deref(), Some("Quays"));
    let again = accepted(reckoner, "ada", piers("Quays")).await;
    assert_ne!(again.id, other.id);
    let before = reckoner.company(&Caller::Machine).await.expect("the company").version;
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 1);
    // It holds already.
    assert_eq!(reckoner.company(&Caller::Machine).await.expect("the company").version, before);
    assert_eq!(standing(reckoner, "ada", &again).await, JobStanding::Succeeded);
}

on_each_store!(what_cannot_be_done_any_more_fails_with_its_reason);
async fn what_cannot_be_done_any_more_fails_with_its_reason(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let ships = |name| profile("Ships", Put::Refused, name);
    let by_bob = accepted(reckoner, "bob", ships("Bobs")).await;
    let scope = Scope::Place(place("North", Level::BillingProfile, "Ships"));
    let (role, bob) = (Role::BillingProfileContributor, PrincipalId::new("bob").expect("an id"));
    let taken = reckoner.take_role(&who("zoe"), role, &bob, &scope, "request").await;
    assert_eq!(taken.expect("taken").principal, bob);
    let unchanged = async |name| {
        let by = ("ada", "North");
        asked(reckoner, by, ships(name), Condition::Unchanged).await.expect("accepted")
    };
    let (first, second) = (unchanged("First").await, unchanged("Second").await);
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 3);
    let failed = |kind, problem: &str| {
        JobStanding::Failed(JobFailure { kind, field: None, problem: problem.to_owned() })
    };
    let says = "billing profile `Ships` does not exist";
    assert_eq!(standing(reckoner, "bob", &by_bob).await, failed(FailureKind::NotFound, says));
    assert_eq!(standing(reckoner, "ada", &first).await, JobStanding::Succeeded);
    let says = "billing account `North`: somebody else changed it first; read it again";
    assert_eq!(standing(reckoner, "ada", &second).await, failed(FailureKind::Conflict, says));
    assert_eq!(name_of(reckoner, "Ships").await.as_deref(), Some("First"));
}

on_each_store!(roles_are_given_and_taken_by_who_may_and_the_last_owner_stays);
async fn roles_are_given_and_taken_by_who_may_and_the_last_owner_stays(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let north = Scope::Account(account("North"));
    let ships = Scope::Place(place("North", Level::BillingProfile, "Ships"));
    let union = Scope::Account(account("union"));
    let lab = Scope::Place(place("union", Level::EnrollmentAccount, "lab"));
    let told = |done: domain::Result<service::RoleTold>| match done {
        Ok(told) => told.principal.to_string(),
        Err(error) => error.to_string(),
    };
    let give = async |by: &str, role: Role, scope: &Scope, to: &str, expected: &str| {
        let grantee = if to.contains('@') {
            Grantee::Email(to.to_owned())
        } else {
            Grantee::Principal(PrincipalId::new(to).expect("an id"))
        };
        let scope = scope.clone();
        let asked = RoleAsked { role, scope, grantee, if_given: IfGiven::Refused };
        let done = reckoner.give_role(&who(by), &asked, "request").await;
        if let Ok(given) = &done {
            assert_eq!(given.given_by.as_ref().map(PrincipalId::as_str), Some(by));
        }
        assert_eq!(told(done), expected, "{by} gives {}", role.name());
    };
    let take = async |by: &str, role: Role, scope: &Scope, of: &str, expected: &str| {
        let of = PrincipalId::new(of).expect("an id");
        let done = reckoner.take_role(&who(by), role, &of, scope, "request").await;
        assert_eq!(told(done), expected, "{by} takes {}", role.name());
    };
    let (owner, reader) = (Role::BillingAccountOwner, Role::BillingAccountReader);
    give("bob", reader, &north, "gus", "roles:manage is not allowed here").await;
    give("nobody", reader, &north, "gus", "billing account `North` does not exist").await;
    give("ada", reader, &north, "gus", "gus").await;
    let says = "role `gus/Billing Account Reader`: is given there already";
    give("ada", reader, &north, "gus", says).await;
    let says = "scope: Billing Account Reader is a role of: billing account, customer agreement";
    give("ada", reader, &ships, "gus", says).await;
    // A role of the operator's is nobody's to give here.
    give("ada", Role::Administrator, &north, "gus", "company:manage is not allowed here").await;
    take("ada", owner, &north, "ada", "role `ada/Billing Account Owner`: is the last owner there")
        .await;
    give("ada", owner, &north, "gus", "gus").await;
    take("gus", owner, &north, "ADA", "ada").await;
    take("ada", owner, &north, "gus", "billing account `North` does not exist").await;
    let says = "role assignment `ada/Billing Account Owner` does not exist";
    take("gus", owner, &north, "ada", says).await;
    // Enterprise agreements: what a program may hold, and who gives which role.
    let says = "role: a program cannot be Enterprise Administrator";
    give("eve", Role::EnterpriseAdministrator, &union, "robot", says).await;
    give("eve", Role::EnterpriseReader, &union, "robot", "robot").await;
    let creator = Role::EnrollmentSubscriptionCreator;
    let says = "role `robot/EA Subscription Creator`: a program holds one role of enterprise \
                agreements";
    give("owl", creator, &lab, "robot", says).await;
    // A mail address is as good as unknown until its holder's role is the giver's to read.
    let says = "email: nobody whom you may know of has this mail address; name the principal";
    give("owl", creator, &lab, "x@union.example", says).await;
    give("owl", creator, &lab, "fay@union.example", says).await;
    give("owl", creator, &lab, "fay", "fay").await;
    let given = "role `fay/EA Subscription Creator`: is given there already";
    give("owl", creator, &lab, "Fay@Union.example", given).await;
    give("ada", reader, &north, "fay@union.example", "billing account `North` does not exist")
        .await;
    give("gus", reader, &north, "fay@union.example", says).await;
    give("eve", creator, &lab, "gus", "subscription_creators:manage is not allowed here").await;
    let says = "role `eve/Enterprise Administrator`: is the last owner there";
    take("eve", Role::EnterpriseAdministrator, &union, "eve", says).await;
}

on_each_store!(an_enrollment_account_is_handed_over_at_once);
async fn an_enrollment_account_is_handed_over_at_once(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let lab = Scope::Place(place("union", Level::EnrollmentAccount, "lab"));
    let owner = Role::EnrollmentAccountOwner;
    let give = async |by: &str, to: &str| {
        let (scope, grantee) = (lab.clone(), Grantee::Principal(principal(to)));
        let asked = RoleAsked { role: owner, scope, grantee, if_given: IfGiven::Kept };
        let done = reckoner.give_role(&who(by), &asked, "request").await;
        done.map_or_else(|error| error.to_string(), |told| told.principal.to_string())
    };
    let owners = async || {
        let given = reckoner.roles_given(&who("eve"), &lab).await.expect("roles");
        let owners = given.into_iter().filter(|one| one.role == owner);
        owners.map(|one| one.principal.to_string()).collect::<Vec<_>>()
    };
    let version = async || reckoner.company(&Caller::Machine).await.expect("the company").version;
    let check = async |by: &str, to: &str, expected: &str, held: &str| {
        assert_eq!(give(by, to).await, expected, "{by} to {to}");
        assert_eq!(owners().await, [held], "{by} to {to}");
    };
    check("owl", "gus", "enrollment_accounts:manage is not allowed here", "owl").await;
    check("eve", "robot", "role: a program cannot be Account Owner", "owl").await;
    check("eve", "gus", "gus", "gus").await;
    // Who has it already keeps it, and nothing changes.
    let before = version().await;
    check("eve", "gus", "gus", "gus").await;
    assert_eq!(version().await, before);
    let says = "role.hand_over: Account Owner of `gus` at enrollment account `lab` of `union`, \
                before `owl`";
    assert_eq!(done_by(reckoner, "eve").await, [says]);
    // Who owned it sees it no more, and may get it back.
    let way = [(Level::EnrollmentAccount, "lab")];
    let seen = reckoner.place(&who("owl"), &account("union"), &way).await;
    assert!(seen.is_err(), "{seen:?}");
    check("eve", "owl", "owl", "owl").await;
    let taken = reckoner.take_role(&who("eve"), owner, &principal("owl"), &lab, "request").await;
    let says = "role `owl/Account Owner`: is the last one given there";
    assert_eq!(taken.expect_err("the last").to_string(), says);
}

/// What somebody did, without the numbers of the facts.
async fn done_by(reckoner: &Reckoner, actor: &str) -> Vec<String> {
    let filter = AuditFilter { actor: Some(actor.to_owned()), ..AuditFilter::default() };
    let rows = reckoner.audit(&Caller::Machine, filter, 0, 10).await.expect("entries");
    let done = rows.iter().map(|row| {
        let target = row.entry.target.split(" (facts ").next().unwrap_or_default();
        format!("{}: {target}", row.entry.action)
    });
    done.collect()
}

on_each_store!(whoever_owns_an_enrollment_account_hands_it_over_with_an_end_or_without);
async fn whoever_owns_an_enrollment_account_hands_it_over_with_an_end_or_without(books: Books) {
    let House { reckoner, clock, .. } = &house(books).await;
    let lab = Scope::Place(place("union", Level::EnrollmentAccount, "lab"));
    let role = Role::EnrollmentAccountOwner;
    let owns = async |name: &str, until: &str| {
        let text = format!(
            "[[role_assignment]]\nprincipal = \"{name}\"\nrole = \"Account Owner\"\n\
             scope = {{ place = {{ billing_account = \"union\", \
             level = \"enrollment account\", id = \"lab\" }} }}\n{until}\n"
        );
        declare(reckoner, &text).await;
    };
    let owners = async || {
        let given = reckoner.roles_given(&who("eve"), &lab).await.expect("roles");
        let owners = given.into_iter().filter(|one| one.role == role);
        owners.map(|one| one.principal.to_string()).collect::<Vec<_>>()
    };
    let give = async |to: &str| {
        let (scope, grantee) = (lab.clone(), Grantee::Principal(principal(to)));
        let asked = RoleAsked { role, scope, grantee, if_given: IfGiven::Kept };
        reckoner.give_role(&who("eve"), &asked, "request").await.expect("given")
    };
    let september = "until = 2026-09-01T00:00:00Z";
    owns("owl", september).await;
    owns("pan", september).await;
    assert_eq!(owners().await, ["owl", "pan"]);
    give("gus").await;
    assert_eq!(owners().await, ["gus"]);
    // Who has it for ever is left alone with it.
    owns("gus", september).await;
    owns("owl", "").await;
    assert_eq!(owners().await, ["owl", "gus"]);
    give("owl").await;
    assert_eq!(owners().await, ["owl"]);
    // What has run out is not taken besides.
    owns("owl", "until = 2026-06-10T00:00:00Z").await;
    clock.set(Instant::parse("2026-06-11").expect("a day"));
    give("gus").await;
    assert_eq!(owners().await, ["gus"]);
    let lab = "at enrollment account `lab` of `union`";
    let says = [
        format!("role.hand_over: Account Owner of `gus` {lab}, before `owl`, `pan`"),
        format!("role.hand_over: Account Owner of `owl` {lab}, before `gus`"),
        format!("role.give: Account Owner of `gus` {lab}"),
    ];
    assert_eq!(done_by(reckoner, "eve").await, says);
}

on_each_store!(a_look_back_tells_nothing_of_who_gave_a_role_anew);
async fn a_look_back_tells_nothing_of_who_gave_a_role_anew(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let scope = Scope::Place(place("North", Level::InvoiceSection, "freight"));
    let (role, gus) = (Role::InvoiceSectionReader, principal("gus"));
    let give = async |by: &str| {
        let grantee = Grantee::Principal(gus.clone());
        let asked = RoleAsked { role, scope: scope.clone(), grantee, if_given: IfGiven::Refused };
        reckoner.give_role(&who(by), &asked, "request").await.expect("given");
    };
    let check = async |at: &Reckoner, expected: Option<&str>| {
        let given = at.roles_given(&who("ada"), &scope).await.expect("roles");
        let given = given.iter().find(|one| one.principal == gus).expect("given");
        let by = given.given_by.as_ref().map(PrincipalId::as_str);
        assert_eq!((by, given.given_at.is_some()), (expected, expected.is_some()));
    };
    give("ada").await;
    let (held, snapshot) = reckoner.held();
    check(&held, Some("ada")).await;
    let another = profile("piers", Put::Made, "Piers");
    accepted(reckoner, "ada", another).await;
    assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 1);
    check(&reckoner.held_to(snapshot).await.expect("held"), Some("ada")).await;
    let taken = reckoner.take_role(&who("ada"), role, &gus, &scope, "request").await;
    assert_eq!(taken.expect("taken").given_by.expect("a giver").as_str(), "ada");
    give("zoe").await;
    check(reckoner, Some("zoe")).await;
    check(&held, None).await;
    check(&reckoner.held_to(snapshot).await.expect("held"), None).await;
}

on_each_store!(a_further_page_is_judged_by_what_any_node_has_written);
async fn a_further_page_is_judged_by_what_any_node_has_written(books: Books) {
    let House { reckoner, schema, clock, .. } = &house(books).await;
    let directory = tempfile::tempdir().expect("a directory");
    // In SQLite both nodes are one.
    let other = match schema {
        Some(_) => open(directory.path(), schema.as_ref(), clock, |_| {}).await,
        None => reckoner.clone(),
    };
    let (_, snapshot) = other.held();
    let way = [(Level::BillingProfile, "Ships")];
    let seen = async || {
        let page = other.held_to(snapshot).await.expect("held");
        page.place(&who("bob"), &account("North"), &way).await.is_ok()
    };
    assert!(seen().await);
    let ships = Scope::Place(place("North", Level::BillingProfile, "Ships"));
    let (role, bob) = (Role::BillingProfileContributor, principal("bob"));
    let taken = reckoner.take_role(&who("ada"), role, &bob, &ships, "request").await;
    assert_eq!(taken.expect("taken").principal, bob);
    assert!(!seen().await, "the role is gone");
}

on_each_store!(who_gives_roles_above_may_own_a_section);
async fn who_gives_roles_above_may_own_a_section(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let freight = place("North", Level::InvoiceSection, "freight");
    let check = async |name: &str, expected: &str| {
        let done = reckoner.own_section(&who(name), &freight, "request").await;
        let told = done.map_or_else(|error| error.to_string(), |()| "owns".to_owned());
        assert_eq!(told, expected, "{name}");
    };
    check("zoe", "owns").await;
    check("zoe", "owns").await;
    check("bob", "roles:manage is not allowed here").await;
    check("cy", "roles:manage is not allowed here").await;
    check("dee", "invoice section `freight` does not exist").await;
    let given = reckoner.roles_given(&who("ada"), &Scope::Place(freight)).await.expect("roles");
    let given: Vec<&str> = given.iter().map(|one| one.principal.as_str()).collect();
    assert_eq!(given, ["cy", "zoe"]);
}

on_each_store!(papers_change_from_now_on_for_who_may_change_them);
async fn papers_change_from_now_on_for_who_may_change_them(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let ships = place("North", Level::BillingProfile, "Ships");
    let view_charges = Some(Permission::Allowed);
    let asked = PoliciesAsked { view_charges, ..PoliciesAsked::default() };
    let set = async |name: &str| {
        let done = reckoner.set_policies(&who(name), &ships, asked, "request").await;
        done.map_err(|error| error.to_string())
    };
    assert_eq!(set("cy").await, Err("policies:manage is not allowed here".to_owned()));
    let Detail::BillingProfile(profile) = set("bob").await.expect("set") else {
        panic!("no profile");
    };
    assert_eq!(profile.view_charges, Permission::Allowed);
    assert_eq!(profile.reservation_purchases, Permission::Allowed, "as it was");
    let docks = place("North", Level::BillingProfile, "docks");
    let told = reckoner.set_policies(&who("ada"), &docks, asked, "request").await;
    let says = "billing profile `docks`: is inactive: nothing of it changes";
    assert_eq!(told.expect_err("inactive").to_string(), says);
    let put_for = async |profile: &Place, name: &str, id: &str, amount: &str, ends: &str| {
        let instant = |text| Instant::parse(text).expect("a day");
        let (starts, ends) = (instant("2026-07-01"), instant(ends));
        let amount = Fixed18::parse(amount).expect("an amount");
        let asked = InstructionAsked { amount, starts, ends };
        let id = InstructionId::new(id).expect("an id");
        let done = reckoner.put_instruction(&who(name), profile, &id, &asked, "request").await;
        done.map_or_else(|error| error.to_string(), |(id, one)| format!("{id} {}", one.amount))
    };
    assert_eq!(put_for(&docks, "ada", "winter", "1", "2026-08-01").await, says);
    let put = async |name: &str, id: &str, amount: &str, ends: &str| {
        put_for(&ships, name, id, amount, ends).await
    };
    let first = put("bob", "Summer", "10.5", "2026-08-01").await;
    assert!(first.starts_with("Summer "), "{first}");
    let second = put("bob", "summer", "20", "2026-08-01").await;
    assert!(second.starts_with("Summer ") && second != first, "{second}");
    let says = "amount: 1.001 USD has more than 2 decimal places";
    assert_eq!(put("bob", "fall", "1.001", "2026-08-01").await, says);
    assert_eq!(put("bob", "fall", "-1", "2026-08-01").await, "amount: must not be below zero");
    let says = "ends: must be after 2026-07-01T00:00:00Z, where it starts";
    assert_eq!(put("bob", "fall", "1", "2026-07-01").await, says);
    let says = "place:manage is not allowed here";
    assert_eq!(put("cy", "fall", "1", "2026-08-01").await, says);
    let ferry = SubscriptionId::new("ferry").expect("an id");
    let centre = async |name: &str| {
        let done = reckoner.set_cost_center(&who(name), &ferry, "1010", "request").await;
        done.map_err(|error| error.to_string())
    };
    assert_eq!(centre("cy").await, Err(says.to_owned()));
    assert_eq!(centre("dee").await, Err("subscription `ferry` does not exist".to_owned()));
    assert_eq!(centre("bob").await, Ok(()));
    let billed = reckoner.billed_to(&who("bob"), &ferry).await.expect("where it is billed");
    assert_eq!(billed.cost_center, "1010");
}
