use super::*;
use crate::twilio::{
    AfterSpeech, CallCallbacks, CallStory, Caller, Event, Outcome, Party, Phone, Voicemail,
};

const SERGIO: &str = "+16195550111";
const BACKUP: &str = "+18585550112";

/// Rings Sergio, then the backup, each asked to press 1, then takes a message: the relay's own plan in miniature.
fn desk(seen: &Seen) -> Response {
    let ring = |number: &str, step: u8| {
        twiml(&format!(
            "<Response><Dial timeout='15' answerOnBridge='true' action='/dialed/{step}'>\
             <Number url='/screen' statusCallback='/status' \
             statusCallbackEvent='initiated ringing answered completed'>{number}</Number>\
             </Dial></Response>"
        ))
    };
    match seen.path.as_str() {
        "/api/twilio/dispatch-route" => ring(SERGIO, 1),
        "/dialed/1" if seen.param("DialBridged") != "true" => ring(BACKUP, 2),
        "/dialed/2" if seen.param("DialBridged") != "true" => twiml(
            "<Response><Say>Leave a message</Say><Record action='/recorded' maxLength='120' \
             transcribe='true' transcribeCallback='/transcribed' \
             recordingStatusCallback='/recording'/><Hangup/></Response>",
        ),
        "/screen" => twiml(
            "<Response><Gather numDigits='1' timeout='5' action='/key'>\
             <Say>Call for the desk, press 1 to take it</Say></Gather><Hangup/></Response>",
        ),
        "/key" if seen.param("Digits") == "1" => twiml("<Response/>"),
        "/key" => twiml("<Response><Hangup/></Response>"),
        "/status" | "/recording" | "/transcribed" => StatusCode::NO_CONTENT.into_response(),
        _ => twiml("<Response/>"),
    }
}

fn at(story: &CallStory, event: &Event) -> Option<u64> {
    let mut events = story.events.iter();
    let found = events.find(|happened| happened.event == *event);
    found.map(|happened| happened.at.as_secs())
}

fn ringing(number: &str) -> Event {
    Event::Ringing {
        number: number.to_owned(),
    }
}

/// A call to a relay that answers everything with one document.
async fn call_with(verbs: &str, caller: Caller) -> (CallStory, TwilioStandIn, Relay) {
    let xml = format!("<Response>{verbs}</Response>");
    let (stand_in, relay, host) = start(move |seen| match seen.path.as_str() {
        "/api/twilio/dispatch-route" => twiml(&xml),
        "/sound.mp3" => ([("content-type", "audio/mpeg")], "sound").into_response(),
        _ => twiml("<Response/>"),
    })
    .await;
    let story = stand_in.calling(CALLER, OURS).caller(caller).place().await;
    drop(host);
    (story, stand_in, relay)
}

#[tokio::test]
async fn somebody_who_picks_up_and_presses_1_is_put_through() {
    let (stand_in, relay, _host) = start(desk).await;
    stand_in.set_phone(SERGIO, Phone::pick_up(4).pressing("1").talking(30));
    let story = stand_in.call(CALLER, OURS).await;
    let with = SERGIO.to_owned();
    assert_eq!(story.outcome, Outcome::Bridged { with, seconds: 30 });
    assert_eq!(story.rang(), [SERGIO]);
    assert_eq!(story.ring_time, Duration::from_secs(4));
    // Four seconds of ringing, two until the key.
    let bridged = Event::Bridged {
        number: SERGIO.to_owned(),
    };
    assert_eq!(at(&story, &bridged), Some(6));
    let dialed = story.requests("/dialed/1")[0];
    assert_eq!(dialed.param("DialCallStatus"), "completed");
    assert_eq!(dialed.param("DialBridged"), "true");
    assert_eq!(dialed.param("DialCallDuration"), "32");
    assert_eq!(dialed.param("CallStatus"), "in-progress");
    let screen = story.requests("/screen")[0];
    assert_eq!(screen.param("ParentCallSid"), story.sid);
    assert_eq!(screen.param("CallSid"), dialed.param("DialCallSid"));
    let statuses: Vec<_> = relay
        .seen()
        .iter()
        .filter(|seen| seen.path == "/status")
        .map(|seen| {
            (
                seen.param("CallStatus").to_owned(),
                seen.param("SequenceNumber").to_owned(),
            )
        })
        .collect();
    let expected = [
        ("initiated", "0"),
        ("ringing", "1"),
        ("in-progress", "2"),
        ("completed", "3"),
    ];
    assert_eq!(
        statuses,
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_mailbox_swallows_nothing_and_the_next_phone_rings() {
    let (stand_in, _relay, _host) = start(desk).await;
    stand_in.set_phone(SERGIO, Phone::mailbox(3));
    stand_in.set_phone(BACKUP, Phone::pick_up(5).pressing("1").talking(10));
    let story = stand_in.call(CALLER, OURS).await;
    let with = BACKUP.to_owned();
    assert_eq!(story.outcome, Outcome::Bridged { with, seconds: 10 });
    let dialed = story.requests("/dialed/1")[0];
    assert_eq!(dialed.param("DialCallStatus"), "completed");
    assert_eq!(dialed.param("DialBridged"), "false");
    assert_eq!(
        dialed.param("CallStatus"),
        "ringing",
        "the caller still hears ringing"
    );
    // Three seconds of ringing, three of speech, five of silence.
    assert_eq!(at(&story, &ringing(BACKUP)), Some(11));
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn whatever_a_phone_does_that_is_no_answer_goes_on_to_the_next() {
    for (phone, status, seconds) in [
        (Phone::NoAnswer, "no-answer", 15),
        (Phone::Busy, "busy", 1),
        (Phone::Failed, "failed", 1),
        (Phone::decline(7), "busy", 7),
        (Phone::pick_up(16), "no-answer", 15),
        (Phone::pick_up(4).pressing("2"), "completed", 6),
        (Phone::pick_up(4).giving_up(1), "completed", 5),
    ] {
        let (stand_in, _relay, _host) = start(desk).await;
        stand_in.set_phone(SERGIO, phone.clone());
        let story = stand_in.call(CALLER, OURS).await;
        let dialed = story.requests("/dialed/1")[0];
        assert_eq!(dialed.param("DialCallStatus"), status, "{phone:?}");
        assert_eq!(dialed.param("DialBridged"), "false", "{phone:?}");
        assert_eq!(at(&story, &ringing(BACKUP)), Some(seconds), "{phone:?}");
        assert!(matches!(
            story.outcome,
            Outcome::Voicemail { seconds: 10, .. }
        ));
        assert_eq!(stand_in.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_message_is_recorded_hosted_and_transcribed() {
    let (stand_in, relay, _host) = start(desk).await;
    let story = stand_in.call(CALLER, OURS).await;
    let Outcome::Voicemail { recording_sid, .. } = &story.outcome else {
        panic!("{:?}", story.outcome);
    };
    assert_eq!(story.heard(&Party::Caller), ["Leave a message"]);
    let recorded = story.requests("/recorded")[0];
    assert_eq!(recorded.param("RecordingDuration"), "10");
    assert_eq!(recorded.param("Digits"), "hangup");
    assert_eq!(recorded.param("CallStatus"), "completed");
    let seen = relay.seen();
    let paths: Vec<_> = seen
        .iter()
        .rev()
        .take(2)
        .map(|seen| seen.path.as_str())
        .collect();
    assert_eq!(paths, ["/transcribed", "/recording"]);
    assert_eq!(
        seen.last().unwrap().param("TranscriptionText"),
        "please call me back"
    );
    let url = recorded.param("RecordingUrl");
    assert!(url.ends_with(recording_sid));
    let settings = Settings::default();
    for (ending, content_type) in [("", "audio/x-wav"), (".mp3", "audio/mpeg")] {
        let request = reqwest::Client::new().get(format!("{url}{ending}"));
        let request = request.basic_auth(&settings.api_key, Some(&settings.api_secret));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], content_type);
        assert!(response.bytes().await.unwrap().len() > 40);
    }
    let (_, calls) = get(&stand_in, "/Calls.json?To=%2B16195550100").await;
    assert_eq!(calls["calls"][0]["status"], "completed");
    assert_eq!(calls["calls"][0]["sid"], story.sid);
    let legs = format!("/Calls.json?ParentCallSid={}", story.sid);
    assert_eq!(
        get(&stand_in, &legs).await.1["calls"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_caller_who_hangs_up_stops_the_phones_and_the_action_hears_of_it() {
    for (patience, rang, last, status) in [
        (5, vec![SERGIO], "/dialed/1", "no-answer"),
        (20, vec![SERGIO, BACKUP], "/dialed/2", "no-answer"),
    ] {
        let (stand_in, _relay, _host) = start(desk).await;
        let caller = Caller::hanging_up_after(patience);
        let story = stand_in.calling(CALLER, OURS).caller(caller).place().await;
        assert_eq!(story.outcome, Outcome::HungUpByCaller);
        assert_eq!(story.rang(), rang);
        assert_eq!(story.lasted.as_secs(), patience);
        let dialed = story.exchanges.last().unwrap();
        assert!(dialed.url.ends_with(last));
        assert_eq!(dialed.param("DialCallStatus"), status);
        assert_eq!(dialed.param("CallStatus"), "no-answer");
        assert_eq!(stand_in.violations(), Vec::<String>::new());
    }
    // While somebody is being asked for a key.
    let (stand_in, _relay, _host) = start(desk).await;
    stand_in.set_phone(SERGIO, Phone::mailbox(3));
    let caller = Caller::hanging_up_after(5);
    let story = stand_in.calling(CALLER, OURS).caller(caller).place().await;
    assert_eq!(story.outcome, Outcome::HungUpByCaller);
    assert_eq!(
        story.exchanges.last().unwrap().param("DialBridged"),
        "false"
    );
}

#[tokio::test]
async fn phones_of_one_step_ring_together_and_the_first_to_be_picked_up_wins() {
    let dial = format!(
        "<Dial timeout='20' callerId='{OURS}'><Number>{SERGIO}</Number><Number>{BACKUP}</Number></Dial>\
         <Say>after</Say>"
    );
    let script = twiml_script(dial);
    let (stand_in, _relay, _host) = start(script).await;
    stand_in.set_phone(SERGIO, Phone::pick_up(9));
    stand_in.set_phone(BACKUP, Phone::mailbox(8));
    let caller = Caller {
        talks: Some(Duration::from_secs(3)),
        ..Caller::default()
    };
    let story = stand_in.calling(CALLER, OURS).caller(caller).place().await;
    let with = BACKUP.to_owned();
    assert_eq!(story.outcome, Outcome::Bridged { with, seconds: 3 });
    assert_eq!(story.rang(), [SERGIO, BACKUP]);
    let stopped = Event::StoppedRinging {
        number: SERGIO.to_owned(),
        status: "canceled".to_owned(),
    };
    assert_eq!(at(&story, &stopped), Some(8));
    assert!(
        story.heard(&Party::Caller).is_empty(),
        "the caller had hung up"
    );
    // Without an action what follows the Dial is carried out.
    stand_in.set_phones(BACKUP, [Phone::Busy, Phone::NoAnswer]);
    stand_in.set_phone(SERGIO, Phone::pick_up(1).talking(4));
    let story = stand_in.call(CALLER, OURS).await;
    assert_eq!(story.heard(&Party::Caller), ["after"]);
    assert_eq!(story.lasted.as_secs(), 1 + 4 + 1);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

fn twiml_script(verbs: String) -> impl Fn(&Seen) -> Response {
    move |_| twiml(&format!("<Response>{verbs}</Response>"))
}

#[tokio::test]
async fn verbs_are_carried_out_in_turn() {
    let (story, stand_in, _) = call_with(
        "<Pause length='3'/><Say loop='2'>Hi</Say><Play>/sound.mp3</Play><Redirect>/end</Redirect>",
        Caller::default(),
    )
    .await;
    assert_eq!(story.outcome, Outcome::Ended);
    assert_eq!(story.lasted.as_secs(), 3 + 2 + 5);
    assert_eq!(story.exchanges[1].url, "https://relay.example/end");
    assert_eq!(stand_in.violations(), Vec::<String>::new());

    let (story, _, _) = call_with("<Reject reason='busy'/>", Caller::default()).await;
    let reason = "busy".to_owned();
    assert_eq!(story.outcome, Outcome::Rejected { reason });

    let caller = Caller {
        presses: vec!["12#".to_owned()],
        ..Caller::default()
    };
    let gather = "<Gather action='/keys' timeout='4'><Say>Choose, please choose now, whatever you like</Say></Gather>";
    let (story, _, _) = call_with(gather, caller).await;
    assert_eq!(story.exchanges[1].param("Digits"), "12");
    assert_eq!(story.exchanges[1].param("FinishedOnKey"), "#");
    let (story, _, _) = call_with(gather, Caller::default()).await;
    assert_eq!(story.exchanges.len(), 1, "nothing pressed falls through");
    assert_eq!(story.lasted.as_secs(), 3 + 4);
}

#[tokio::test]
async fn a_recording_ends_as_its_caller_ends_it() {
    let record =
        "<Record action='/recorded' timeout='5' maxLength='30' finishOnKey='#'/><Say>nothing</Say>";
    let speaks = |seconds, then| Voicemail::Speaks {
        seconds,
        words: "hello".to_owned(),
        then,
    };
    for (voicemail, duration, digits, lasted) in [
        (speaks(8, AfterSpeech::HangsUp), Some("8"), "hangup", 8),
        (speaks(8, AfterSpeech::Waits), Some("8"), "", 13),
        (speaks(8, AfterSpeech::Presses('#')), Some("8"), "#", 8),
        (speaks(8, AfterSpeech::Presses('1')), Some("30"), "", 30),
        (speaks(40, AfterSpeech::HangsUp), Some("30"), "", 30),
        (Voicemail::HangsUp, None, "", 0),
        (Voicemail::Silent, None, "", 6),
    ] {
        let caller = Caller {
            voicemail: voicemail.clone(),
            ..Caller::default()
        };
        let (story, stand_in, _) = call_with(record, caller).await;
        let recorded = story.requests("/recorded");
        let found = recorded
            .first()
            .map(|request| request.param("RecordingDuration"));
        assert_eq!(found, duration, "{voicemail:?}");
        if let Some(request) = recorded.first() {
            assert_eq!(request.param("Digits"), digits, "{voicemail:?}");
        }
        assert_eq!(story.lasted.as_secs(), lasted, "{voicemail:?}");
        assert_eq!(stand_in.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_is_wrong_with_twiml_is_a_violation() {
    for verbs in [
        "<Dial callerId='+16195550199'>+16195550111</Dial>",
        "<Dial>911</Dial>",
        "<Dial>+16195550100</Dial>",
        "<Dial><Number>+16195550111</Number><Number>+16195550111</Number></Dial>",
        "<Dial timeout='3'>+16195550111</Dial>",
        "<Redirect>/api/twilio/dispatch-route</Redirect>",
        "<Gather numDigits='1'/>",
        "<Record/>",
        "<Play>/missing</Play>",
        "<Play>https://elsewhere.example/sound.mp3</Play>",
        "<Unknown/>",
        "<Say>&nbsp;</Say>",
        "<Redirect>https://elsewhere.example/</Redirect>",
    ] {
        let caller = Caller::hanging_up_after(300);
        let (_, stand_in, _) = call_with(verbs, caller).await;
        assert!(!stand_in.violations().is_empty(), "{verbs}");
    }
}

#[tokio::test]
async fn a_relay_that_is_down_costs_the_call_unless_there_is_a_fallback() {
    let (stand_in, _relay, host) = start(desk).await;
    host.down().await;
    let story = stand_in.call(CALLER, OURS).await;
    assert_eq!(story.outcome, Outcome::Error { code: 11205 });
    let forward = "http://twimlets.com/forward?PhoneNumber=%2B18585550112";
    stand_in.configure_number(OURS, |number| {
        number.voice_fallback_url = forward.to_owned()
    });
    stand_in.set_phone(BACKUP, Phone::pick_up(2).talking(9));
    let story = stand_in.call(CALLER, OURS).await;
    let with = BACKUP.to_owned();
    assert_eq!(story.outcome, Outcome::Bridged { with, seconds: 9 });
    assert_eq!(story.exchanges[1].param("ErrorCode"), "11205");
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn callbacks_may_come_in_any_way() {
    for (callbacks, count, first) in [
        (CallCallbacks::InOrder, 4, "initiated"),
        (CallCallbacks::Doubled, 8, "initiated"),
        (CallCallbacks::Dropped, 0, ""),
        (CallCallbacks::Late, 4, "initiated"),
        (CallCallbacks::Reversed, 4, "completed"),
    ] {
        let (stand_in, relay, _host) = start(desk).await;
        stand_in.set_phone(SERGIO, Phone::pick_up(4).pressing("1"));
        let call = stand_in.calling(CALLER, OURS).callbacks(callbacks);
        call.repeat_webhooks(3).place().await;
        let seen = relay.seen();
        let statuses: Vec<_> = seen.iter().filter(|seen| seen.path == "/status").collect();
        assert_eq!(statuses.len(), count, "{callbacks:?}");
        assert_eq!(
            statuses.first().map_or("", |seen| seen.param("CallStatus")),
            first
        );
        assert_eq!(seen.iter().filter(|seen| seen.path == "/screen").count(), 3);
        assert_eq!(stand_in.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn withheld_callers_call_like_others() {
    let (stand_in, relay, _host) = start(desk).await;
    stand_in.set_phone(SERGIO, Phone::pick_up(4).pressing("1"));
    for from in ["anonymous", "+266696687", ""] {
        let story = stand_in.call(from, OURS).await;
        assert!(matches!(story.outcome, Outcome::Bridged { .. }), "{from}");
        assert_eq!(relay.seen()[0].param("CallStatus"), "ringing");
    }
}

#[tokio::test]
async fn a_live_call_is_played_by_those_at_its_ends() {
    let (stand_in, _relay, _host) = start(desk).await;
    let call = stand_in.calling(CALLER, OURS).start(20.0);
    let rings = |number: &str| call.ringing() == [number];
    assert!(stand_in.wait_until(SOON, |_| rings(SERGIO)).await);
    call.decline(SERGIO);
    assert!(stand_in.wait_until(SOON, |_| rings(BACKUP)).await);
    call.pick_up(BACKUP);
    let asked = |who: &Party| {
        let events = call.events();
        let mut events = events.iter().map(|happened| &happened.event);
        events.any(|event| matches!(event, Event::Heard { who: heard, .. } if heard == who))
    };
    let backup = Party::Phone(BACKUP.to_owned());
    assert!(stand_in.wait_until(SOON, |_| asked(&backup)).await);
    call.press(&backup, "1");
    let bridged = Event::Bridged {
        number: BACKUP.to_owned(),
    };
    let is_bridged = |_: &TwilioStandIn| call.events().iter().any(|h| h.event == bridged);
    assert!(stand_in.wait_until(SOON, is_bridged).await);
    assert!(call.story().is_none());
    call.hang_up(&Party::Caller);
    call.pick_up(SERGIO);
    let story = call.finished().await.unwrap();
    assert!(matches!(&story.outcome, Outcome::Bridged { with, .. } if with == BACKUP));
    assert_eq!(stand_in.live_call(&story.sid).unwrap().sid(), story.sid);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_live_call_can_end_in_a_message_after_a_mailbox() {
    let (stand_in, _relay, _host) = start(desk).await;
    stand_in.set_phone(BACKUP, Phone::Busy);
    let call = stand_in.calling(CALLER, OURS).start(50.0);
    assert!(
        stand_in
            .wait_until(SOON, |_| !call.ringing().is_empty())
            .await
    );
    call.let_mailbox_answer(SERGIO);
    let beeped = |_: &TwilioStandIn| call.events().iter().any(|h| h.event == Event::Beep);
    assert!(stand_in.wait_until(SOON, beeped).await);
    call.speak("the boat");
    call.speak("is here");
    call.hang_up(&Party::Caller);
    let story = call.finished().await.unwrap();
    assert!(matches!(story.outcome, Outcome::Voicemail { .. }));
    let mailbox = Event::PickedUp {
        number: SERGIO.to_owned(),
        mailbox: true,
    };
    assert!(story.has(&mailbox));
}
