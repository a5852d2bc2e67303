use futures_util::FutureExt;

use super::super::caller::Caller;
use super::*;
use crate::config::Network;

const FAR: &str = "203.0.113.7";
const OTHER: &str = "198.51.100.1";
const NEAR: &str = "127.0.0.1";

fn limits() -> Connections {
    Connections {
        max: 8,
        max_per_address: 3,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(100),
        trusted_proxies: vec![Network::parse("192.0.2.0/24").unwrap()],
    }
}

fn admit(table: &Arc<Table>, from: &str) -> Option<Place> {
    table.admit(from.parse().unwrap())
}

/// Whether the connection still has its place. A displacement is reported only once.
fn is_open(place: &Place) -> bool {
    place.taken_away().now_or_never().is_none()
}

#[tokio::test]
async fn one_address_displaces_only_its_own() {
    let table = Table::new(limits());
    let other = admit(&table, OTHER).unwrap();
    let mut own: Vec<Place> = (0..3).map(|_| admit(&table, FAR).unwrap()).collect();
    own.push(admit(&table, FAR).unwrap());
    let open: Vec<bool> = own.iter().map(is_open).collect();
    assert_eq!(open, [false, true, true, true]);
    assert!(is_open(&other));
}

#[tokio::test]
async fn an_idle_connection_of_an_address_gives_way_to_its_next_and_a_busy_one_does_not() {
    let table = Table::new(limits());
    let places: Vec<Place> = (0..3).map(|_| admit(&table, FAR).unwrap()).collect();
    places.iter().for_each(|place| Caller::of(place).prove());
    let asking: Vec<_> = places
        .iter()
        .map(|place| Caller::of(place).begin(false))
        .collect();
    assert!(admit(&table, FAR).is_none());
    assert!(admit(&table, OTHER).is_some());
    assert!(places.iter().all(is_open));
    drop(asking);
    assert!(admit(&table, FAR).is_some());
    let open: Vec<bool> = places.iter().map(is_open).collect();
    assert_eq!(
        open,
        [false, true, true],
        "the one that is idle for longest"
    );
}

#[tokio::test]
async fn proxies_have_no_limit_of_their_own() {
    for from in [NEAR, "10.0.0.1", "192.0.2.9"] {
        let table = Table::new(limits());
        let places: Vec<Place> = (0..6).map(|_| admit(&table, from).unwrap()).collect();
        assert!(places.iter().all(is_open), "{from}");
    }
}

#[tokio::test]
async fn a_quarter_is_kept_for_the_proven() {
    let table = Table::new(limits());
    let proven = [admit(&table, NEAR).unwrap(), admit(&table, NEAR).unwrap()];
    proven.iter().for_each(|place| Caller::of(place).prove());
    let silent: Vec<Place> = (0..20).map(|_| admit(&table, NEAR).unwrap()).collect();
    assert!(proven.iter().all(is_open));
    let open: Vec<usize> = (0..20).filter(|n| is_open(&silent[*n])).collect();
    assert_eq!(open, [14, 15, 16, 17, 18, 19], "the newest");
}

#[tokio::test]
async fn the_oldest_gives_way_whatever_it_does() {
    let table = Table::new(limits());
    let places: Vec<Place> = (0..6).map(|_| admit(&table, NEAR).unwrap()).collect();
    let begin = |n: usize| Caller::of(&places[n]).begin(false);
    let (slow, _slow) = (begin(0), begin(1));
    // A new connection that has sent nothing yet is not displaced while all others send slowly.
    let _new = admit(&table, NEAR).unwrap();
    let open = || places.iter().map(is_open).collect::<Vec<bool>>();
    assert_eq!(open(), [false, true, true, true, true, true]);
    drop(slow);
    // A connection whose request has just ended counts as new.
    drop(begin(2));
    let _two = [admit(&table, NEAR).unwrap(), admit(&table, NEAR).unwrap()];
    // The displacement of the first was reported before.
    assert_eq!(open(), [true, false, true, false, true, true]);
    assert!(is_open(&_new) && _two.iter().all(is_open));
}

#[tokio::test]
async fn a_place_that_is_given_back_is_free() {
    let table = Table::new(limits());
    for _ in 0..100 {
        let places: Vec<Place> = (0..3).map(|_| admit(&table, FAR).unwrap()).collect();
        assert!(places.iter().all(is_open));
    }
    let held = table.held();
    assert!(held.unproven.is_empty() && held.proven.is_empty() && held.by_address.is_empty());
}

#[tokio::test]
async fn what_a_connection_does_decides_how_long_it_stays() {
    let table = Table::new(limits());
    let (far, near) = (admit(&table, FAR).unwrap(), admit(&table, NEAR).unwrap());
    let left = |place: &Place| {
        let deadline = place.connection.deadline(&table.limits);
        deadline
            .duration_since(Instant::now())
            .as_secs_f64()
            .round()
    };
    assert_eq!((left(&far), left(&near)), (10.0, 10.0), "silent");
    let (one, two) = (
        Caller::of(&far).begin(false),
        Caller::of(&near).begin(false),
    );
    let most = REQUEST.as_secs_f64();
    assert_eq!(
        (left(&far), left(&near)),
        (most, most),
        "a request is worked on"
    );
    drop((one, two));
    assert_eq!(left(&far), 10.0, "it has proven nothing");
    assert_eq!(left(&near), 100.0, "a proxy keeps its connections");
    near.connection.has_read();
    assert_eq!(left(&near), 10.0, "half a head");
    Caller::of(&far).prove();
    assert_eq!(left(&far), 100.0);
    let _third = Caller::of(&far).begin(false);
    assert_eq!(left(&far), most);
    assert!(!far.is_overdue() && !far.may_close(Duration::ZERO));
    assert!(near.may_close(Duration::ZERO));
}

#[tokio::test]
async fn what_comes_between_two_requests_of_http_2_is_no_head() {
    let table = Table::new(limits());
    let near = admit(&table, NEAR).unwrap();
    drop(Caller::of(&near).begin(true));
    near.connection.has_read();
    let left = near
        .connection
        .deadline(&table.limits)
        .duration_since(Instant::now());
    assert!(left > Duration::from_secs(90), "{left:?}");
}
