use serde_json::{Value, json};

use super::super::*;
use super::listener::{Act, Listener};
use super::{ACCOUNT, client, sid};
use crate::phone::Address;
use crate::remote::Failure;

fn page(sids: &[u32], next: Option<u32>) -> Act {
    let messages: Vec<Value> = sids
        .iter()
        .map(|&n| json!({"sid": sid(n), "date_created": format!("Sun, 01 Nov 2026 10:00:{n:02} +0000")}))
        .collect();
    let next = next.map(|page| {
        format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json?Page={page}&PageToken=PA{page}")
    });
    Act::json(
        "200 OK",
        json!({"messages": messages, "next_page_uri": next, "page": 0}),
    )
}

async fn listed(twilio: &Listener, stop_before: Option<&str>) -> Result<Vec<String>, Failure> {
    let stop_before = stop_before.map(|time| time.parse().unwrap());
    let found = client(&twilio.url)
        .list_messages(&MessageFilter::default(), stop_before)
        .await?;
    Ok(found
        .into_iter()
        .map(|message| String::from(message.sid))
        .collect())
}

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    let twilio = Listener::start(|n, _| match n {
        0 => page(&[30, 20], Some(1)),
        1 => page(&[], Some(2)),
        _ => page(&[10], None),
    })
    .await;
    let filter = MessageFilter {
        to: Some(Address::new("+16195550100")),
        from: Some(Address::new("12345")),
        date_sent_after: Some("2026-11-01T09:59:59.9Z".parse().unwrap()),
    };
    let found = client(&twilio.url)
        .list_messages(&filter, None)
        .await
        .unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|message| message.sid.as_str().to_owned())
        .collect();
    assert_eq!(found, [sid(30), sid(20), sid(10)]);
    let path = format!("GET /2010-04-01/Accounts/{ACCOUNT}/Messages.json");
    assert_eq!(
        twilio.lines(),
        [
            format!(
                "{path}?To=%2B16195550100&From=12345&DateSent%3E=2026-11-01T09%3A59%3A59Z&PageSize=50"
            ),
            format!("{path}?Page=1&PageToken=PA1"),
            format!("{path}?Page=2&PageToken=PA2"),
        ]
    );
    assert!(
        twilio
            .requests()
            .iter()
            .all(|request| request.to_lowercase().contains("authorization: basic "))
    );
}

#[tokio::test]
async fn catching_up_stops_behind_a_page_of_what_is_known() {
    let twilio = Listener::start(|n, _| {
        page(
            &[40 - 20 * n as u32, 30 - 20 * n as u32],
            Some(n as u32 + 1),
        )
    })
    .await;
    let found = listed(&twilio, Some("2026-11-01T10:00:25Z")).await;
    assert_eq!(found, Ok(vec![sid(40), sid(30), sid(20), sid(10)]));
    assert_eq!(twilio.requests().len(), 2);
}

type Broken = fn() -> Act;

#[tokio::test]
async fn a_list_that_breaks_off_is_an_error_and_not_a_shorter_list() {
    let table: [(&str, Broken); 8] = [
        ("hang", || Act::Hang),
        ("reset", || Act::Reset),
        ("500", || {
            Act::Answer("500 Internal Server Error", String::new())
        }),
        ("garbage", || Act::Answer("200 OK", "garbage".to_owned())),
        ("no list", || {
            Act::json("200 OK", json!({"next_page_uri": null}))
        }),
        ("no word of a next page", || {
            Act::json("200 OK", json!({"messages": []}))
        }),
        ("an entry without a SID", || {
            Act::json("200 OK", json!({"messages": [{}], "next_page_uri": null}))
        }),
        ("led elsewhere", || {
            Act::json(
                "200 OK",
                json!({"messages": [], "next_page_uri": "@elsewhere.example/"}),
            )
        }),
    ];
    for (name, second) in table {
        let twilio = Listener::start(move |n, _| {
            if n == 0 {
                page(&[1], Some(1))
            } else {
                second()
            }
        })
        .await;
        let result = listed(&twilio, None).await;
        assert!(
            matches!(result, Err(Failure::Unknown { .. })),
            "{name}: {result:?}"
        );
        assert_eq!(twilio.requests().len(), 2, "{name}");
    }
    let endless = Listener::start(|_, _| page(&[1], Some(1))).await;
    assert!(matches!(
        listed(&endless, None).await,
        Err(Failure::Unknown { .. })
    ));
}
