use super::*;

#[test]
fn the_surface_serves_what_its_list_says() {
    let lines = httpkit::listing(group().operations());
    assert_eq!(lines, include_str!("../routes.txt"), "routes.txt should be:\n{lines}");
}

/// The routes of the program are put together when it starts, and end it where two are one.
#[test]
fn the_routes_can_be_put_together() {
    let _router = group().into_router();
}
