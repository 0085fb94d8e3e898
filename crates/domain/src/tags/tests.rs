//! How large tags may be.

use super::*;

#[test]
fn tags_have_bounds() {
    let check = |count: usize, name: usize, value: usize, cost_center: usize, expected: &str| {
        let value = "v".repeat(value);
        let tag = |n: usize| (format!("{n:0name$}"), value.clone());
        let tags = Tags::new((0..count).map(tag).collect(), &"c".repeat(cost_center));
        let told = tags.map_or_else(
            |error| error.to_string(),
            |tags| {
                assert_eq!((tags.values().len(), tags.cost_center().len()), (count, cost_center));
                "taken".to_owned()
            },
        );
        assert!(told.starts_with(expected), "{told}");
    };
    check(50, 512, 256, 256, "taken");
    check(51, 4, 1, 0, "tags: are 51; at most 50");
    check(1, 513, 1, 0, "tags: `0000");
    check(1, 1, 257, 0, "tags: `0`: a name has 1 to 512 characters, a value at most 256");
    check(0, 1, 0, 257, "cost_center: has more than 256 characters");
    let empty = BTreeMap::from([(String::new(), "value".to_owned())]);
    assert_eq!(
        Tags::new(empty, "").unwrap_err().to_string(),
        "tags: ``: a name has 1 to 512 characters, a value at most 256"
    );
}
