//! Publications: objects and sealed positions become visible together.

use super::{at, on_both};
use crate::{NewObject, Publication, Sealing, StoreError};
use std::collections::BTreeSet;

fn object(path: &str) -> NewObject {
    NewObject {
        table: "rated".to_owned(),
        period: 202_603,
        bucket: 7,
        path: path.to_owned(),
        facts: "rows 1".to_owned(),
        first_sequence: 10,
        end_sequence: 20,
        company_version: 3,
    }
}

fn empty(seconds: i64) -> Publication {
    Publication { add: vec![], retire: vec![], sealed: vec![], at: at(seconds) }
}

#[test]
fn an_object_is_visible_from_its_publication_to_its_retirement() {
    on_both(|fresh| {
        let store = fresh.open();
        let add = vec![object("a"), object("b")];
        let ids = store.publish(&Publication { add, ..empty(1) }).unwrap();
        let rows = store.objects().unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
        let b = &rows[1];
        assert_eq!(
            (b.table.as_str(), b.period, b.bucket, b.path.as_str()),
            ("rated", 202_603, 7, "b")
        );
        assert_eq!((b.first_sequence, b.end_sequence, b.company_version), (10, 20, 3));
        assert_eq!((b.facts.as_str(), b.created_at), ("rows 1", at(1)));

        let three = ["a", "b", "c"].map(str::to_owned).into();
        let next = Publication { add: vec![object("c")], retire: vec![ids[0]], ..empty(5) };
        let third = store.publish(&next).unwrap()[0];
        let paths: Vec<_> = store.objects().unwrap().into_iter().map(|row| row.path).collect();
        assert_eq!(paths, ["b", "c"]);
        assert_eq!(BTreeSet::from_iter(store.object_paths().unwrap()), three);
        assert_eq!(store.retired_before(at(5)).unwrap(), []);
        let retired = store.retired_before(at(6)).unwrap();
        assert_eq!((retired.len(), retired[0].id, retired[0].path.as_str()), (1, ids[0], "a"));

        let refused = store.forget_objects(&[ids[0], third]);
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        assert_eq!(store.retired_before(at(6)).unwrap().len(), 1, "forgotten all or none");
        store.forget_objects(&[ids[0], 999]).unwrap();
        assert_eq!(store.retired_before(at(6)).unwrap(), []);

        store.publish(&Publication { retire: vec![third], ..empty(7) }).unwrap();
        store.forget_objects(&[third]).unwrap();
        let fourth = store.publish(&Publication { add: vec![object("d")], ..empty(8) }).unwrap();
        assert!(fourth[0] > third, "ids are never given again");
    });
}

#[test]
fn a_publication_is_all_or_nothing() {
    on_both(|fresh| {
        let store = fresh.open();
        let sealing = |from, until| Sealing { shard: 1, from, until };
        let add = vec![object("a")];
        let first = Publication { add, sealed: vec![sealing(0, 100)], ..empty(1) };
        let id = store.publish(&first).unwrap()[0];
        store.publish(&Publication { retire: vec![id], ..empty(2) }).unwrap();

        let refuse = |publication: Publication, expected: &str| {
            let error = store.publish(&publication).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(store.objects().unwrap(), []);
            assert_eq!(store.sealed().unwrap(), [(1, 100)]);
        };
        let full = || Publication { add: vec![object("b")], ..empty(3) };
        refuse(Publication { sealed: vec![sealing(100, 99)], ..full() }, "cannot fall to 99");
        refuse(Publication { sealed: vec![sealing(0, 120)], ..full() }, "expected 0, found 100");
        refuse(Publication { retire: vec![id], ..full() }, "object");
        refuse(Publication { retire: vec![999], ..full() }, "object `999`");
        refuse(Publication { add: vec![object("b"), object("b")], ..full() }, "refused the row");
        refuse(Publication { add: vec![object("a")], ..full() }, "refused the row");

        let more = vec![sealing(100, 100), Sealing { shard: 0, from: 0, until: 5 }];
        store.publish(&Publication { sealed: more, ..full() }).unwrap();
        store.publish(&Publication { sealed: vec![sealing(100, 130)], ..empty(4) }).unwrap();
        assert_eq!(store.sealed().unwrap(), [(0, 5), (1, 130)]);
    });
}
