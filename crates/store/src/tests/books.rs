//! Facts, codes, audit, keys, watermarks, spools, secrets, settings.

use super::{Fresh, at, fact, note, on_both};
use crate::{
    AuditEntry, AuditFilter, EnterpriseKeyRow, KeyOwner, KeyRow, Spool, SpoolKept, SpoolLimits,
    StoreError, Watermark,
};
use calendar::Instant;

#[test]
fn facts_are_numbered_without_gaps_and_linked() {
    on_both(|fresh| {
        let store = fresh.open();
        assert_eq!(store.newest_fact().unwrap(), 0);
        assert_eq!(store.append_facts(0, &[fact("a"), fact("b")], &note("first")).unwrap(), 2);
        assert_eq!(store.append_facts(2, &[], &note("nothing")).unwrap(), 2);
        assert_eq!(store.append_facts(2, &[fact("a")], &note("again")).unwrap(), 3);
        let facts = store.facts_after(0, 10).unwrap();
        let shown: Vec<_> = facts.iter().map(|fact| (fact.number, fact.key.as_str())).collect();
        assert_eq!(shown, [(1, "a"), (2, "b"), (3, "a")]);
        let first = &facts[0];
        assert_eq!((first.effective_from, first.recorded_at), (at(60), at(0)));
        assert_eq!((first.actor.as_str(), first.request_id.as_str()), ("ada", "request-1"));
        assert_eq!(first.body, r#"{"name":"a"}"#);
        assert_ne!(facts[0].link, facts[2].link, "the same fact later has another link");
        let page: Vec<_> = store.facts_after(1, 1).unwrap().iter().map(|f| f.number).collect();
        assert_eq!(page, [2]);
        let report = store.check().unwrap();
        assert_eq!((report.facts, report.problems), (3, vec![]));
    });
}

#[test]
fn a_stale_append_changes_nothing() {
    on_both(|fresh| {
        let store = fresh.open();
        store.append_facts(0, &[fact("a")], &note("first")).unwrap();
        for expected in [0, 2] {
            match store.append_facts(expected, &[fact("b")], &note("late")) {
                Err(StoreError::Stale { what: "company", expected: said, found: 1, .. }) => {
                    assert_eq!(said, expected);
                }
                other => panic!("expected a stale append, got {other:?}"),
            }
        }
        assert_eq!(store.newest_fact().unwrap(), 1);
        assert_eq!(store.audit(&AuditFilter::default(), 0, 10).unwrap().len(), 1);
    });
}

#[test]
fn codes_are_given_once_and_never_again() {
    on_both(|fresh| {
        let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
        let store = fresh.open();
        let pairs =
            [pair("country", "DE"), pair("country", "de"), pair("meter", "DE"), pair("meter", "")];
        assert_eq!(store.assign_codes(&pairs).unwrap(), [1, 2, 1, 2]);
        let more = [pair("country", "FR"), pair("country", "DE"), pair("country", "FR")];
        assert_eq!(store.assign_codes(&more).unwrap(), [3, 1, 3]);
        drop(store);
        let codes = fresh.open().codes().unwrap();
        let shown: Vec<_> =
            codes.iter().map(|c| (c.kind.as_str(), c.code, c.value.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("country", 1, "DE"),
                ("country", 2, "de"),
                ("country", 3, "FR"),
                ("meter", 1, "DE"),
                ("meter", 2, ""),
            ]
        );
    });
}

#[test]
fn every_change_has_its_entry_in_the_audit_log() {
    on_both(|fresh| {
        let store = fresh.open();
        store.append_facts(0, &[fact("a"), fact("b")], &note("set up")).unwrap();
        store.set_setting("sealing", "paused", &note("maintenance")).unwrap();
        store.insert_key(&key("k1", 1), &note("intake")).unwrap();
        store.revoke_key("k1", &note("leaked")).unwrap();
        let entry = AuditEntry {
            at: at(9),
            actor: "bob".to_owned(),
            action: "clock.move".to_owned(),
            target: "clock".to_owned(),
            reason: String::new(),
            request_id: "request-2".to_owned(),
            outcome: "forbidden".to_owned(),
        };
        store.append_audit(&entry).unwrap();
        let all = store.audit(&AuditFilter::default(), 0, 100).unwrap();
        let shown: Vec<_> =
            all.iter().map(|row| (row.entry.action.as_str(), row.entry.target.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("facts.append", "facts 1 to 2"),
                ("setting.set", "setting sealing"),
                ("key.make", "API key k1 of intake"),
                ("key.revoke", "API key k1"),
                ("clock.move", "clock"),
            ]
        );
        assert_eq!(all[4].entry, entry);
        let count = |filter: AuditFilter| store.audit(&filter, 0, 100).unwrap().len();
        let text = |text: &str| Some(text.to_owned());
        let none = AuditFilter::default;
        assert_eq!(count(AuditFilter { actor: text("ada"), ..none() }), 4);
        assert_eq!(count(AuditFilter { action: text("key.make"), ..none() }), 1);
        assert_eq!(count(AuditFilter { target: text("API key k1"), ..none() }), 1);
        assert_eq!(count(AuditFilter { from: Some(at(1)), ..none() }), 1);
        assert_eq!(count(AuditFilter { until: Some(at(9)), ..none() }), 4);
        assert_eq!(count(AuditFilter { actor: text("bob"), until: Some(at(9)), ..none() }), 0);
        let rest = store.audit(&none(), all[1].number, 2).unwrap();
        assert_eq!(rest, all[2..4]);
    });
}

fn key(key_id: &str, hash: u8) -> KeyRow {
    KeyRow {
        key_id: key_id.to_owned(),
        name: "gate".to_owned(),
        principal: "intake".to_owned(),
        hash: [hash; 32],
        actions: vec!["usage:send".to_owned()],
        billing_accounts: vec!["acme".to_owned(), "a\"c,me".to_owned()],
        places: vec!["acme/messaging account/a".to_owned()],
        sources: vec![],
        allowed_ranges: vec!["10.0.0.0/8".to_owned()],
        created_at: at(i64::from(hash)),
        valid_from: at(i64::from(hash) + 1),
        expires_at: Some(at(100)),
        revoked_at: None,
        last_used_at: None,
    }
}

#[test]
fn api_keys_are_found_by_hash_and_revoked_once() {
    on_both(|fresh| {
        let store = fresh.open();
        let (one, two) = (key("k1", 1), key("k2", 2));
        store.insert_key(&two, &note("make")).unwrap();
        store.insert_key(&one, &note("make")).unwrap();
        for taken in [key("k1", 3), key("k3", 1)] {
            let refused = store.insert_key(&taken, &note("make"));
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        }
        assert_eq!(store.keys().unwrap(), [one.clone(), two]);
        assert_eq!(store.key_by_hash(&[9; 32]).unwrap(), None);
        assert_eq!(store.key_by_hash(&[1; 32]).unwrap(), Some(one.clone()));
        store.touch_key("k1", at(50)).unwrap();
        store.touch_key("k1", at(40)).unwrap();
        store.touch_key("nobody", at(40)).unwrap();
        store.revoke_key("k1", &note("leaked")).unwrap();
        store.revoke_key("k1", &crate::Note { at: at(70), ..note("again") }).unwrap();
        let unknown = store.revoke_key("nobody", &note("typo"));
        assert!(matches!(unknown, Err(StoreError::Missing { .. })), "{unknown:?}");
        let expected = KeyRow { revoked_at: Some(at(0)), last_used_at: Some(at(50)), ..one };
        assert_eq!(store.key_by_hash(&[1; 32]).unwrap(), Some(expected));
    });
}

/// A key of the department, from the epoch to so many seconds behind it.
fn enterprise_key(key_id: &str, slot: &str, until: i64) -> EnterpriseKeyRow {
    EnterpriseKeyRow {
        key_id: key_id.to_owned(),
        owner: department(),
        slot: slot.to_owned(),
        principal: "ada".to_owned(),
        allowed_ranges: vec!["10.0.0.0/8".to_owned()],
        created_at: at(0),
        valid_from: at(0),
        expires_at: at(until),
        revoked_at: None,
        last_used_at: None,
    }
}

fn department() -> KeyOwner {
    KeyOwner {
        billing_account: "555001".to_owned(),
        level: "department".to_owned(),
        place: "17".to_owned(),
    }
}

#[test]
fn a_slot_has_one_enterprise_key_that_holds() {
    on_both(|fresh| {
        let store = fresh.open();
        let (one, two) =
            (enterprise_key("k1", "primary", 100), enterprise_key("k2", "secondary", 100));
        store.insert_enterprise_key(&one, &note("make")).unwrap();
        store.insert_enterprise_key(&two, &note("make")).unwrap();
        for taken in [enterprise_key("k3", "primary", 200), enterprise_key("k1", "other", 200)] {
            let refused = store.insert_enterprise_key(&taken, &note("make"));
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        }
        let elsewhere = EnterpriseKeyRow {
            owner: KeyOwner { place: "18".to_owned(), ..department() },
            ..enterprise_key("k4", "primary", 100)
        };
        store.insert_enterprise_key(&elsewhere, &note("make")).unwrap();
        assert_eq!(store.enterprise_keys(&department()).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(store.enterprise_key("k1").unwrap(), Some(one));
        assert_eq!(store.enterprise_key("nothing").unwrap(), None);

        // Another takes its place; the other slot stays as it is.
        let next = enterprise_key("k5", "primary", 200);
        store.replace_enterprise_key("k1", &next, &note("anew")).unwrap();
        for gone in ["k1", "nothing"] {
            let refused = store.replace_enterprise_key(
                gone,
                &enterprise_key("k6", "primary", 9),
                &note("no"),
            );
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        }
        store.touch_enterprise_key("k2", at(50)).unwrap();
        store.touch_enterprise_key("k2", at(40)).unwrap();
        let kept = store.enterprise_key("k2").unwrap().unwrap();
        assert_eq!(kept, EnterpriseKeyRow { last_used_at: Some(at(50)), ..two });
        assert_eq!(store.enterprise_key("k1").unwrap().unwrap().revoked_at, Some(at(0)));

        // A key that has expired leaves its slot to the next.
        let late = crate::Note { at: at(100), ..note("later") };
        store.insert_enterprise_key(&enterprise_key("k7", "secondary", 300), &late).unwrap();
        store.revoke_enterprise_key("k7", &late).unwrap();
        store.revoke_enterprise_key("k7", &note("again")).unwrap();
        assert_eq!(store.enterprise_key("k7").unwrap().unwrap().revoked_at, Some(at(100)));
        let unknown = store.revoke_enterprise_key("nobody", &note("typo"));
        assert!(matches!(unknown, Err(StoreError::Missing { .. })), "{unknown:?}");
    });
}

#[test]
fn watermarks_only_rise_and_text_sorts_by_bytes() {
    on_both(|fresh| {
        let store = fresh.open();
        let mark = |source: &str, until: Instant| Watermark {
            source: source.to_owned(),
            billing_account: "acme".to_owned(),
            reported_until: until,
        };
        let first = [mark("ä", at(5)), mark("a", at(5)), mark("Z", at(5)), mark("a-", at(5))];
        store.raise_watermarks(&first).unwrap();
        let second = [mark("a", at(4)), mark("ä", Instant::MAX), mark("Z", Instant::MIN)];
        store.raise_watermarks(&second).unwrap();
        let expected =
            [mark("Z", at(5)), mark("a", at(5)), mark("a-", at(5)), mark("ä", Instant::MAX)];
        assert_eq!(store.watermarks().unwrap(), expected);
    });
}

#[test]
fn spools_live_until_they_expire() {
    on_both(|fresh| {
        let store = fresh.open();
        let spool = |id: &str, expires: i64| Spool {
            id: id.to_owned(),
            path: format!("spools/{id}"),
            rows: 10_000,
            size_bytes: 5,
            params_hash: "abc".to_owned(),
            stood_at: String::new(),
            owner: "ada".to_owned(),
            expires_at: at(expires),
        };
        let (late, soon) = (spool("late", 20), spool("soon", 10));
        let many = SpoolLimits { most: 9, most_bytes: 99, now: at(0) };
        assert_eq!(store.insert_spool(&late, many).unwrap(), SpoolKept::Yes);
        assert_eq!(store.insert_spool(&soon, many).unwrap(), SpoolKept::Yes);
        let again = store.insert_spool(&spool("soon", 30), many);
        assert!(matches!(again, Err(StoreError::Refused { .. })), "{again:?}");
        assert_eq!(store.spool("soon").unwrap(), Some(soon.clone()));
        assert_eq!(store.spool("other").unwrap(), None);
        assert_eq!(store.expired_spools(at(9)).unwrap(), []);
        assert_eq!(store.expired_spools(at(10)).unwrap(), std::slice::from_ref(&soon));
        assert_eq!(store.expired_spools(at(20)).unwrap(), [soon.clone(), late.clone()]);
        assert!(store.delete_spool(&soon).unwrap());
        assert!(store.delete_spool(&soon).unwrap());
        assert_eq!(store.expired_spools(at(20)).unwrap(), [late]);
    });
}

#[test]
fn an_owner_keeps_so_many_spools_and_bytes_and_no_more() {
    on_both(|fresh| {
        let store = fresh.open();
        let spool = |id: &str, owner: &str, size_bytes: u64, expires: i64| Spool {
            id: id.to_owned(),
            path: format!("spools/{id}"),
            rows: 1,
            size_bytes,
            params_hash: "abc".to_owned(),
            stood_at: String::new(),
            owner: owner.to_owned(),
            expires_at: at(expires),
        };
        let keep = |spool: &Spool, now: i64| {
            let limits = SpoolLimits { most: 3, most_bytes: 100, now: at(now) };
            store.insert_spool(spool, limits).unwrap()
        };
        assert_eq!(keep(&spool("1", "ada", 60, 20), 0), SpoolKept::Yes);
        let until = at(20);
        assert_eq!(keep(&spool("2", "ada", 41, 30), 0), SpoolKept::TooLarge { until });
        assert_eq!(keep(&spool("2", "ada", 40, 30), 0), SpoolKept::Yes);
        assert_eq!(keep(&spool("3", "ada", 0, 30), 0), SpoolKept::Yes);
        assert_eq!(keep(&spool("4", "ada", 0, 30), 0), SpoolKept::TooMany { until });
        assert_eq!(keep(&spool("5", "eve", 100, 30), 0), SpoolKept::Yes);
        // What has expired no longer counts, though it may not be deleted yet.
        assert_eq!(keep(&spool("6", "ada", 60, 30), 20), SpoolKept::Yes);
    });
}

#[test]
fn a_spool_grows_as_it_is_written_within_the_bytes_of_its_owner() {
    on_both(|fresh| {
        let store = fresh.open();
        let spool = |id: &str, rows: u64, size_bytes: u64| Spool {
            id: id.to_owned(),
            path: format!("spools/{id}"),
            rows,
            size_bytes,
            params_hash: "abc".to_owned(),
            stood_at: String::new(),
            owner: "ada".to_owned(),
            expires_at: at(20),
        };
        let limits = SpoolLimits { most: 9, most_bytes: 100, now: at(0) };
        store.insert_spool(&spool("1", 1, 40), limits).unwrap();
        store.insert_spool(&spool("2", 1, 30), limits).unwrap();
        let grow = |spool: &Spool| store.grow_spool(spool, limits);
        assert_eq!(grow(&spool("2", 2, 60)).unwrap(), SpoolKept::Yes);
        let until = at(20);
        assert_eq!(grow(&spool("2", 3, 61)).unwrap(), SpoolKept::TooLarge { until });
        assert_eq!(store.spool("2").unwrap(), Some(spool("2", 2, 60)));
        let later = Spool { expires_at: at(25), ..spool("2", 2, 60) };
        assert_eq!(grow(&later).unwrap(), SpoolKept::Yes);
        assert_eq!(store.spool("2").unwrap(), Some(later), "what is written lives on");
        assert_eq!(grow(&spool("2", 2, 60)).unwrap(), SpoolKept::Yes);
        let gone = grow(&spool("3", 1, 0));
        assert!(matches!(gone, Err(StoreError::Missing { .. })), "{gone:?}");
        let living = |now: i64| -> Vec<String> {
            let living = store.living_spools("abc", at(now)).unwrap();
            living.into_iter().map(|spool| spool.id).collect()
        };
        assert!(living(0).is_empty(), "neither is written");
        store.spool_written("1", "then").unwrap();
        store.spool_written("2", "later").unwrap();
        assert_eq!(living(0), ["2", "1"]);
        store.keep_spool("1", at(30)).unwrap();
        store.keep_spool("3", at(30)).unwrap();
        assert_eq!(living(20), ["1"]);
    });
}

#[test]
fn spools_of_one_question_share_their_files_until_the_last_is_gone() {
    on_both(|fresh| {
        let store = fresh.open();
        let many = SpoolLimits { most: 9, most_bytes: 99, now: at(0) };
        let spool = |id: &str, owner: &str| Spool {
            id: id.to_owned(),
            path: "spools/first".to_owned(),
            rows: 1,
            size_bytes: 5,
            params_hash: "abc".to_owned(),
            stood_at: String::new(),
            owner: owner.to_owned(),
            expires_at: at(20),
        };
        let same = |now: i64| -> Vec<String> {
            let same = store.same_spools("abc", "then", at(now)).unwrap();
            same.into_iter().map(|spool| spool.id).collect()
        };
        let first = spool("first", "ada");
        store.insert_spool(&first, many).unwrap();
        assert!(same(0).is_empty(), "its rows are not written yet");
        store.spool_written("first", "then").unwrap();
        assert_eq!(same(0), ["first"]);
        assert!(same(20).is_empty(), "it has expired");
        let second = Spool { stood_at: "then".to_owned(), ..spool("second", "eve") };
        assert_eq!(store.share_spool(&first, &second, many).unwrap(), SpoolKept::Yes);
        assert_eq!(same(0), ["first", "second"]);
        assert!(!store.delete_spool(&first).unwrap(), "the second needs the files");
        let third = spool("third", "eve");
        let late = store.share_spool(&first, &third, many);
        assert!(matches!(late, Err(StoreError::Missing { .. })), "{late:?}");
        assert!(store.delete_spool(&second).unwrap());
    });
}

#[test]
fn a_secret_is_made_once_and_a_setting_may_change() {
    on_both(|fresh| {
        let store = fresh.open();
        assert_eq!(store.secret("signing").unwrap(), None);
        assert_eq!(store.ensure_secret("signing", &[0, 1, 255]).unwrap(), [0, 1, 255]);
        assert_eq!(store.ensure_secret("signing", b"other").unwrap(), [0, 1, 255]);
        assert_eq!(store.ensure_secret("empty", b"").unwrap(), b"");
        assert_eq!(store.setting("plan").unwrap(), None);
        store.set_setting("plan", "a", &note("set")).unwrap();
        store.set_setting("plan", "b", &note("set")).unwrap();
        drop(store);
        let store = fresh.open();
        assert_eq!(store.secret("signing").unwrap(), Some(vec![0, 1, 255]));
        assert_eq!(store.setting("plan").unwrap().as_deref(), Some("b"));
    });
}

#[test]
fn text_that_one_store_cannot_keep_is_refused_by_both() {
    on_both(|fresh| {
        let store = fresh.open();
        let refused = store.append_facts(0, &[fact("a"), fact("nul\0")], &note("bad"));
        assert!(matches!(refused, Err(StoreError::Invalid { what: "text", .. })), "{refused:?}");
        assert_eq!(store.newest_fact().unwrap(), 0);
        let odd = "quote ' \" back \\ \u{1f600} \u{7f}\n";
        store.append_facts(0, &[fact(odd)], &note(odd)).unwrap();
        assert_eq!(store.facts_after(0, 1).unwrap()[0].key, odd);
    });
}

#[test]
fn a_check_finds_what_was_changed_behind_our_back() {
    check("UPDATE facts SET body = '{}' WHERE number = 2", "fact 2: its body");
    check("UPDATE facts SET actor = 'eve' WHERE number = 1", "fact 1: its link");
    check("UPDATE facts SET effective_from = 0 WHERE number = 3", "fact 3: its link");
    check("DELETE FROM facts WHERE number = 2", "fact 3 follows fact 1");
    check("UPDATE facts SET number = 9 WHERE number = 3", "fact 9 follows fact 2");

    fn check(tampering: &str, expected: &str) {
        on_both(|fresh: &Fresh| {
            let store = fresh.open();
            store.append_facts(0, &[fact("a"), fact("b"), fact("c")], &note("set up")).unwrap();
            assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
            fresh.tamper(tampering);
            let problems = store.check().unwrap().problems;
            assert!(
                problems.iter().any(|problem| problem.contains(expected)),
                "{tampering}: {problems:?}"
            );
        });
    }
}
