//! The client against the stand-in for Twilio, although neither knows the other's code.

use std::time::Duration;

use axum::Router;
use qdn_sandbox::faults::Effect;
use qdn_sandbox::faults::host::Host;
use qdn_sandbox::twilio::{self, TwilioStandIn};
use secrecy::SecretString;

use super::*;
use crate::twilio::client::{MessageFilter, NewMessage};
use crate::twilio::twiml::{CallEvent, Dial, Gather, Number, Record, Response, Say, Verb};

const BASE: &str = "https://relay.example";
const OURS: &str = "+16195550100";
const CALLER: &str = "+16195550142";

fn client_of(stand_in: &TwilioStandIn) -> Client {
    let settings = twilio::Settings::default();
    Client::new(Settings {
        api_url: stand_in.url(),
        account_sid: AccountSid::parse(&settings.account_sid).unwrap(),
        api_key: settings.api_key,
        api_secret: SecretString::from(settings.api_secret),
        request_timeout: Duration::from_millis(500),
    })
    .unwrap()
}

/// A stand-in whose webhooks are all answered with an empty document; both live as long as what is returned.
async fn start_quiet() -> (TwilioStandIn, Host) {
    let answer = ([("content-type", "text/xml")], "<Response/>");
    let router = Router::new().fallback(move || async move { answer });
    let host = Host::start("127.0.0.1:0".parse().unwrap(), router);
    let host = host.await.unwrap();
    let settings = twilio::Settings::default();
    let stand_in = TwilioStandIn::start(settings).await.unwrap();
    stand_in.set_relay(BASE, Some(host.addr()));
    (stand_in, host)
}

fn new_message(body: &str) -> NewMessage {
    NewMessage {
        from: PhoneNumber::parse(OURS).unwrap(),
        to: Address::new(CALLER),
        body: body.to_owned(),
        media_urls: Vec::new(),
        status_callback: format!("{BASE}/api/twilio/status?row=1"),
        validity_period: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn the_client_sends_reads_and_sets_up() {
    let (stand_in, _host) = start_quiet().await;
    stand_in.set_page_size_limit(2);
    let client = client_of(&stand_in);
    let sent = client.create_message(&new_message("hello")).await.unwrap();
    assert_eq!(stand_in.created()[0].sid, sent.sid.as_str());
    client.message(&sent.sid).await.unwrap();
    for n in 0..5 {
        stand_in.text(CALLER, OURS, &n.to_string()).await;
    }
    let filter = MessageFilter {
        to: Some(Address::new(OURS)),
        ..MessageFilter::default()
    };
    assert_eq!(client.list_messages(&filter, None).await.unwrap().len(), 5);
    let ours = PhoneNumber::parse(OURS).unwrap();
    let number = client.incoming_phone_number(&ours).await.unwrap().unwrap();
    let changes = [("SmsUrl", "https://relay.example/new")];
    let changed = client
        .update_incoming_phone_number(&number.sid, &changes)
        .await;
    assert_eq!(
        changed.unwrap().sms_url.as_deref(),
        Some("https://relay.example/new")
    );
    let refused = client.fetch_account().await.unwrap_err();
    assert!(matches!(refused, Failure::Refused { code, .. } if code == "20003"));
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn each_fault_is_to_the_client_what_it_should_be() {
    let (stand_in, _host) = start_quiet().await;
    let client = client_of(&stand_in);
    type Expected = fn(&Failure) -> bool;
    let unknown: Expected = |failure| matches!(failure, Failure::Unknown { .. });
    let limited: Expected = |failure| matches!(failure, Failure::RateLimited { .. });
    let refused: Expected = |failure| matches!(failure, Failure::Refused { .. });
    let retry_after = Some(3);
    let table: [(Effect, Expected); 9] = [
        (Effect::Hang, unknown),
        (Effect::Reset, unknown),
        (Effect::CutShort, unknown),
        (Effect::Status(503), unknown),
        (Effect::Empty, unknown),
        (Effect::Garbage, unknown),
        (Effect::Slow(Duration::from_secs(1)), unknown),
        (Effect::RateLimited { retry_after }, limited),
        (Effect::Error("21610".into()), refused),
    ];
    for (effect, expected) in table {
        let faults = stand_in.faults();
        faults.push("Messages.create", effect.clone().not_accepted());
        let failure = client.create_message(&new_message("x")).await.unwrap_err();
        assert!(expected(&failure), "{effect:?} became {failure:?}");
    }
    stand_in.down().await;
    let failure = client.create_message(&new_message("x")).await.unwrap_err();
    assert!(matches!(failure, Failure::NotSent { .. }), "{failure:?}");
}

#[test]
fn the_twiml_that_the_crate_writes_is_what_twilio_documents() {
    let number = Number {
        url: Some("https://relay.example/screen?a=1&b=2".to_owned()),
        status_callback: Some("https://relay.example/status".to_owned()),
        status_callback_event: vec![CallEvent::Ringing, CallEvent::Answered],
        ..Number::new(PhoneNumber::parse("+16195550111").unwrap())
    };
    let dial = Dial {
        action: Some("https://relay.example/dialed".to_owned()),
        timeout: Some(15),
        answer_on_bridge: true,
        numbers: vec![number],
        ..Dial::default()
    };
    let gather = Gather {
        action: "https://relay.example/key".to_owned(),
        num_digits: Some(1),
        ..Gather::default()
    };
    let record = Record {
        action: "https://relay.example/recorded".to_owned(),
        ..Record::default()
    };
    for verbs in [
        vec![],
        vec![Verb::Dial(dial)],
        vec![Verb::Gather(gather), Verb::Hangup],
        vec![Verb::Say(Say::new("Q & A <now>")), Verb::Record(record)],
    ] {
        let xml = Response::new(verbs).to_xml();
        let warnings = twilio::voice_warnings(&xml).unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{xml}");
    }
}
