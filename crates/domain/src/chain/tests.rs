//! The chain: any changed byte of what is closed is found.

use super::*;
use crate::encoding::encode_row;
use crate::fixtures::*;
use crate::ids::SubscriptionId;
use crate::invoice::Line;
use crate::notes::void_note;
use crate::posting;
use crate::rated::RowKind;
use crate::usage::ChargeCategory;
use money::Cost;
use proptest::prelude::*;

fn row(meter: &str, cost: &str) -> RatedRow {
    RatedRow {
        position: None,
        slice: 0,
        kind: RowKind::Usage,
        billing_account: account("a"),
        subscription: SubscriptionId::new("s").unwrap(),
        resource: String::new(),
        meter: meter_id(meter),
        category: ChargeCategory::Usage,
        service_period: period("2026-03").interval(),
        reported_at: t("2026-03-09"),
        quantity: n("1"),
        unit_price: Some(n(cost)),
        tier: 0,
        cost: Cost { major: n(cost), currency: usd() },
        price: None,
        counter_before: n("0"),
        dimensions: BTreeMap::new(),
        tags: BTreeMap::new(),
        details: None,
        reserved: None,
    }
}

fn rows_digest(rows: Vec<RatedRow>) -> Result<Digest> {
    let mut hash = RowsHash::default();
    rows.into_iter().try_for_each(|row| hash.add(row))?;
    Ok(hash.digest())
}

fn entries(of: &Invoice) -> Vec<Entry> {
    let mut entries = posting::invoice(of, t("2026-04-05")).unwrap();
    entries.sort_by(|a, b| a.purpose().cmp(b.purpose()));
    entries
}

fn number(sequence: u64) -> DocumentNumber {
    DocumentNumber { seller: legal_entity("us"), sequence }
}

/// A close with two rows and one invoice.
fn statement(month: &str, cost: &str) -> Statement {
    let invoice = invoice_of("d", &[cost, "20"], "0.1", &["c 5"]);
    let rows = vec![row("m001", cost), row("m002", "20")];
    let digest = Digest::of(&encode_invoice(&invoice));
    Statement {
        version: LinkVersion::NEWEST,
        period: period(month),
        of: Closed::Period,
        rows: rows_digest(rows).unwrap(),
        entries: entries_digest(&entries(&invoice)).unwrap(),
        documents: BTreeMap::from([(number(1), digest)]),
    }
}

fn chain(statements: &[Statement]) -> (Vec<Link>, Digest) {
    let mut links: Vec<Link> = Vec::new();
    let mut head = Digest::GENESIS;
    for statement in statements {
        let link = Link::seal(head, statement.clone());
        head = link.head;
        links.push(link);
    }
    (links, head)
}

fn three() -> Vec<Statement> {
    vec![statement("2026-01", "10"), statement("2026-02", "11"), statement("2026-03", "12")]
}

#[test]
fn a_chain_as_it_was_sealed_holds() {
    let (links, head) = chain(&three());
    assert_eq!(verify(&links, &three(), head), Ok(()));
    assert_eq!(verify(&[], &[], Digest::GENESIS), Ok(()));
}

#[test]
fn what_is_changed_is_found_and_named() {
    let check = |change: fn(&mut Vec<Link>, &mut Vec<Statement>, &mut Digest), expected: &str| {
        let (mut links, mut head) = chain(&three());
        let mut computed = three();
        change(&mut links, &mut computed, &mut head);
        let found = verify(&links, &computed, head).map_or_else(|e| e.to_string(), |()| "-".into());
        assert!(found.starts_with(expected), "{found}, not {expected}");
    };
    check(|_, _, _| {}, "-");
    let sealed = "link 1: rated rows differ";
    check(|_, now, _| now[1].rows = rows_digest(vec![row("m001", "11")]).unwrap(), sealed);
    check(|_, now, _| now[1] = statement("2026-02", "11.01"), sealed);
    check(|_, now, _| now[2].entries = now[1].entries, "link 2: ledger entries differ");
    let document = "link 0: document us-00000001 differs";
    check(|_, now, _| now[0].documents.clear(), document);
    check(|_, now, _| *now[0].documents.get_mut(&number(1)).unwrap() = Digest::GENESIS, document);
    let added = "link 0: document us-00000002 differs";
    check(|_, now, _| now[0].documents.extend([(number(2), Digest::GENESIS)]), added);
    let head = "the head of link 1";
    check(|links, now, _| links[1].statement = now[0].clone(), head);
    check(|links, _, _| links[1].head = Digest::GENESIS, head);
    check(|links, _, _| drop(links.remove(0)), "link 0 does not follow");
    check(|links, _, _| drop(links.remove(1)), "link 1 does not follow");
    check(|links, _, _| links.swap(1, 2), "link 1 does not follow");
    check(|links, _, _| drop(links.pop()), "2 links stand for 3 closes");
    check(|_, now, _| drop(now.pop()), "3 links stand for 2 closes");
    // Whoever seals everything anew comes to another head than the one that was kept.
    let anew = |links: &mut Vec<Link>, now: &mut Vec<Statement>, _: &mut Digest| {
        now[1] = statement("2026-02", "11.01");
        *links = chain(now).0;
    };
    check(anew, "the chain ends in ");
    let shorter = |links: &mut Vec<Link>, now: &mut Vec<Statement>, _: &mut Digest| {
        links.pop();
        now.pop();
    };
    check(shorter, "the chain ends in ");
}

#[test]
fn a_parked_account_is_a_link_of_its_own() {
    let parked = |of: &str| Statement { of: Closed::Parked(account(of)), ..three()[0].clone() };
    let heads = [three()[0].clone(), parked("a"), parked("b")].map(|s| chain(&[s]).1);
    assert!(heads[0] != heads[1] && heads[1] != heads[2] && heads[0] != heads[2]);
    let found = verify(&chain(&[parked("a")]).0, &[parked("b")], heads[1]);
    assert_eq!(found, Err(Broken::Content { link: 0, what: "period and accounts" }));
}

#[test]
fn rows_and_entries_have_one_order() {
    let fine = rows_digest(vec![row("m001", "1"), row("m001", "1"), row("m002", "1")]);
    assert!(fine.is_ok(), "equal rows may follow each other");
    let refused = rows_digest(vec![row("m002", "1"), row("m001", "1")]).unwrap_err();
    assert_eq!(refused.to_string(), "rows: row 1 is out of order");
    let mut entries = entries(&invoice_of("d", &["1", "2"], "0", &[]));
    assert!(entries_digest(&entries).is_ok());
    let twice = [entries[0].clone(), entries[0].clone()];
    assert!(entries_digest(&twice).is_err());
    entries.swap(0, 1);
    let refused = entries_digest(&entries).unwrap_err();
    assert_eq!(refused.to_string(), "entries: line 1 of d is out of order");
}

#[test]
fn a_list_is_not_its_parts_put_together_otherwise() {
    let digest = |items: &[&str]| {
        let mut list = ListHash::default();
        items.iter().for_each(|item| list.add(item.as_bytes()));
        list.digest()
    };
    let all =
        [digest(&[]), digest(&[""]), digest(&["ab"]), digest(&["a", "b"]), digest(&["", "ab"])];
    for (place, one) in all.iter().enumerate() {
        assert!(all.iter().skip(place + 1).all(|other| other != one), "{place}");
    }
}

#[test]
fn drafts_have_another_digest_once_any_of_them_says_something_else() {
    let (one, other) = (invoice_of("d", &["10"], "0.1", &[]), invoice_of("e", &["20"], "0.1", &[]));
    let notes = [void_note(document("n"), &one, &[]).unwrap()];
    let (two, turned) = ([one.clone(), other.clone()], [other, one]);
    let all = [
        drafts_digest(&[], &[]),
        drafts_digest(&[], &two[..1]),
        drafts_digest(&[], &two[1..]),
        drafts_digest(&[], &two),
        drafts_digest(&[], &turned),
        drafts_digest(&notes, &two),
        drafts_digest(&notes.map(|note| note.because("late")), &two),
    ];
    for (place, digest) in all.iter().enumerate() {
        assert!(all.iter().skip(place + 1).all(|other| other != digest), "{place}");
        assert_eq!(Digest::parse(&digest.to_string()).unwrap(), *digest);
    }
    let refused = Digest::parse("5e1d").unwrap_err();
    assert_eq!(refused.to_string(), "digest: must be 64 hexadecimal digits");
}

/// First digits of digests that must never change while the versions stay what they are.
#[test]
fn the_encoding_of_a_version_stays_as_it_is() {
    let invoice = invoice_of("d", &["10", "20"], "0.1", &["c 5", "p 2"]);
    let note = void_note(document("n"), &invoice, &[]).unwrap();
    let old = |of| Statement { version: LinkVersion::Bodies, ..of };
    let old: Vec<Statement> = three().into_iter().map(old).collect();
    let digests = [
        Digest::of(&encode_row(&row("m", "1"))),
        entries_digest(&entries(&invoice)).unwrap(),
        Digest::of(&encode_invoice(&invoice)),
        Digest::of(&encode_note(&note)),
        chain(&old).1,
        chain(&three()).1,
    ];
    let shown = digests.map(|digest| digest.to_string()[..16].to_owned());
    assert_eq!(
        shown,
        [
            "f6d7689c02f34b07",
            "e5af37fa34f642cc",
            "3e22eb3361a73f9e",
            "138e86488f790099",
            "4ac16fc95f91b147",
            "e14fee462e5cb2a4"
        ]
    );
}

/// Changes of one field each; every one must change the canonical bytes.
#[test]
fn every_field_of_a_document_is_covered() {
    let invoice = || invoice_of("d", &["10", "20"], "0.1", &["c 5"]);
    let line = |change: fn(&mut Line)| {
        let mut changed = invoice();
        change(&mut changed.lines[0]);
        assert_ne!(encode_invoice(&changed), encode_invoice(&invoice()));
    };
    line(|l| l.number = 9);
    line(|l| l.key.section = Some(crate::ids::InvoiceSectionId::new("x").unwrap()));
    line(|l| l.key.category = ChargeCategory::Fee);
    line(|l| l.key.subscription = Some(SubscriptionId::new("x").unwrap()));
    line(|l| l.key.meter = None);
    line(|l| l.key.item = "x".to_owned());
    line(|l| l.key.service_period = period("2026-02").interval());
    line(|l| l.key.tax = tax_category("x"));
    line(|l| l.key.buys = Some(lot_id("x")));
    line(|l| l.key.rate = Some("x".to_owned()));
    line(|l| l.pricing.major = n("1"));
    line(|l| l.exact.major = n("1"));
    line(|l| l.booked = cents(1));
    line(|l| l.coverage = crate::credits::Coverage::Separate);
    line(|l| l.set_off = cents(1));
    line(|l| l.paid.clear());
    line(|l| l.paid[0].amount = cents(1));
    line(|l| l.paid[0].lot = lot_id("x"));
    line(|l| l.paid[0].kind = crate::credits::LotKind::Prepayment);
    line(|l| l.left = cents(1));
    line(|l| l.tax = cents(99));
    let whole = |change: fn(&mut Invoice)| {
        let mut changed = invoice();
        change(&mut changed);
        assert_ne!(encode_invoice(&changed), encode_invoice(&invoice()));
    };
    whole(|i| i.id = document("x"));
    whole(|i| i.billing_account = account("x"));
    whole(|i| i.seller = legal_entity("x"));
    whole(|i| i.period = i.period.next());
    whole(|i| i.currency = money::Currency::parse("EUR").unwrap());
    whole(|i| drop(i.lines.pop()));
    whole(|i| i.replaces = Some(document("x")));
    whole(|i| i.taxes.clear());
    whole(|i| i.taxes[0].number = 9);
    whole(|i| i.taxes[0].rule.rate = n("0.2"));
    whole(|i| i.taxes[0].rule.buyer = legal_entity("x"));
    whole(|i| i.taxes[0].rule.liability = crate::tax::Liability::ReverseCharge);
    whole(|i| i.taxes[0].taxable = cents(1));
    whole(|i| i.taxes[0].tax = cents(1));
    let void = || void_note(document("n"), &invoice(), &[]).unwrap();
    let note = |change: fn(&mut Note)| {
        let mut changed = void();
        change(&mut changed);
        assert_ne!(encode_note(&changed), encode_note(&void()));
    };
    note(|n| n.id = document("x"));
    note(|n| n.kind = crate::notes::NoteKind::Credit);
    note(|n| n.amends = document("x"));
    note(|n| n.lines[0].amends = 9);
    note(|n| n.lines[0].net = cents(1));
    note(|n| n.lines[0].tax = cents(99));
    note(|n| n.lines[0].lots.clear());
    note(|n| n.lines[0].set_off = cents(1));
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn any_changed_byte_of_a_link_changes_its_head(byte in any::<prop::sample::Index>(), bit in 0..8) {
        let statement = statement("2026-03", "12");
        let bytes = encode_link(Digest::GENESIS, &statement);
        let mut changed = bytes.clone();
        let place = byte.index(changed.len());
        changed[place] ^= 1_u8 << bit;
        prop_assert_ne!(Digest::of(&bytes), Digest::of(&changed));
        prop_assert_eq!(Digest::of(&bytes), Link::seal(Digest::GENESIS, statement).head);
    }
}

#[test]
fn a_link_is_read_back_from_its_bytes() {
    for (version, of) in [
        (LinkVersion::Documents, Closed::Period),
        (LinkVersion::Documents, Closed::Parked(account("a"))),
        (LinkVersion::Bodies, Closed::Period),
    ] {
        let statement = Statement { version, of, ..statement("2026-03", "1.23") };
        let previous = Digest::of(b"previous");
        let bytes = encode_link(previous, &statement);
        assert_eq!(decode_link(&bytes).unwrap(), (previous, statement));
        for end in 0..bytes.len() {
            assert!(decode_link(&bytes[..end]).is_err(), "cut off at {end}");
        }
        assert!(decode_link(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

#[test]
fn what_accounts_made_final_has_one_digest() {
    let of = |accounts: &[(&str, &[u8])]| {
        let accounts: Vec<_> =
            accounts.iter().map(|(id, bytes)| (account(id), Digest::of(bytes))).collect();
        accounts_digest(accounts.iter().map(|(id, digest)| (id, *digest)))
    };
    let both = of(&[("a", b"1"), ("b", b"2")]).unwrap();
    assert_eq!(of(&[("a", b"1"), ("b", b"2")]).unwrap(), both);
    let others: [&[(&str, &[u8])]; 4] =
        [&[], &[("a", b"1")], &[("a", b"2"), ("b", b"1")], &[("a", b"1"), ("c", b"2")]];
    for other in others {
        assert_ne!(of(other).unwrap(), both, "{other:?}");
    }
    assert!(of(&[("b", b"2"), ("a", b"1")]).is_err());
    assert!(of(&[("a", b"1"), ("a", b"1")]).is_err());
}
