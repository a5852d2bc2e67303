//! Nobody counts as being on the phone because the end of a call was not told.

use qdn_sandbox::twilio::signature;
use qdn_sandbox::twilio::{Phone, Settings};

use crate::desk::{ALICE, BACKUP_PHONE, BOB, Database, Desk, LINE, PUBLIC_URL, SERGIO_PHONE, http};

stories! {
    a_mailbox_whose_end_is_not_told_is_not_on_the_phone,
    whoever_has_hung_up_can_be_rung_though_the_end_of_the_ring_is_not_told,
    whoever_takes_a_call_and_is_gone_before_it_reaches_them_is_not_the_end_of_it,
}

const CALL: &str = "CA000000000000000000000000000000e1";
const LEG: &str = "CA000000000000000000000000000000e2";

/// Bob's call, of which the story tells the service what it wants it to hear.
struct Told<'a> {
    desk: &'a mut Desk,
}

impl Told<'_> {
    /// A request of Twilio's; back comes the TwiML.
    async fn tell(&mut self, url: &str, more: &[(&str, &str)]) -> String {
        let settings = Settings::default();
        let mut params = vec![
            ("AccountSid".to_owned(), settings.account_sid),
            ("From".to_owned(), BOB.to_owned()),
        ];
        params.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let path = url.strip_prefix(PUBLIC_URL).unwrap();
        let signed = signature::sign(&settings.auth_token, url, &params);
        let request = http()
            .post(self.desk.url(path))
            .header("x-twilio-signature", signed)
            .form(&params);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.text().await.unwrap()
    }

    async fn begins(&mut self) -> String {
        let url = format!("{PUBLIC_URL}/api/twilio/dispatch-route");
        let call = [("CallSid", CALL), ("To", LINE), ("CallStatus", "ringing")];
        self.tell(&url, &call).await
    }

    async fn leg(&mut self, url: &str, status: &str) -> String {
        let leg = [
            ("CallSid", LEG),
            ("ParentCallSid", CALL),
            ("To", SERGIO_PHONE),
            ("CallStatus", status),
        ];
        self.tell(url, &leg).await
    }

    async fn ring_ends(&mut self, twiml: &str) -> String {
        let result = [
            ("CallSid", CALL),
            ("To", LINE),
            ("CallStatus", "ringing"),
            ("DialCallSid", LEG),
            ("DialCallStatus", "completed"),
            ("DialBridged", "false"),
        ];
        self.tell(&attribute(twiml, "action"), &result).await
    }

    /// Sergio picks up and presses 1.
    async fn takes(&mut self, twiml: &str) {
        let question = self.leg(&attribute(twiml, "url"), "in-progress").await;
        let key = [
            ("CallSid", LEG),
            ("ParentCallSid", CALL),
            ("To", SERGIO_PHONE),
            ("Digits", "1"),
        ];
        self.tell(&attribute(&question, "action"), &key).await;
    }
}

/// The first such attribute.
fn attribute(twiml: &str, name: &str) -> String {
    let (_, rest) = twiml.split_once(&format!(" {name}=\"")).unwrap();
    let (value, _) = rest.split_once('"').unwrap();
    value.replace("&amp;", "&")
}

/// Whose telephone a call of Alice's rings first.
async fn rung_first(desk: &Desk) -> String {
    let story = desk.twilio.call(ALICE, LINE).await;
    story.rang()[0].to_owned()
}

async fn a_mailbox_whose_end_is_not_told_is_not_on_the_phone(database: Database) {
    let mut desk = Desk::on(database)
        .replace(
            "channel = \"#qdn-dispatch\"",
            "channel = \"#qdn-dispatch\"\nscreen = false",
        )
        .start()
        .await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::pick_up(1));
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(1));
    let mut told = Told { desk: &mut desk };
    let twiml = told.begins().await;
    told.leg(&attribute(&twiml, "statusCallback"), "in-progress")
        .await;
    assert_eq!(rung_first(told.desk).await, BACKUP_PHONE);
    let next = told.ring_ends(&twiml).await;
    assert!(next.contains(BACKUP_PHONE), "{next}");
    assert_eq!(rung_first(told.desk).await, SERGIO_PHONE);
    desk.close().await;
}

async fn whoever_has_hung_up_can_be_rung_though_the_end_of_the_ring_is_not_told(
    database: Database,
) {
    let mut desk = Desk::on(database).start().await;
    let mut told = Told { desk: &mut desk };
    let twiml = told.begins().await;
    told.takes(&twiml).await;
    assert_eq!(rung_first(told.desk).await, BACKUP_PHONE);
    told.leg(&attribute(&twiml, "statusCallback"), "completed")
        .await;
    assert_eq!(rung_first(told.desk).await, SERGIO_PHONE);
    // The database knows it as well, sooner or later: a call waits for it no longer than 100 ms.
    let talks = "select count(*) from call where state = 'talking'";
    desk.expect_count(talks, 0).await;
    desk.relay().kill().await;
    desk.start_relay().await;
    assert_eq!(rung_first(&desk).await, SERGIO_PHONE);
    desk.close().await;
}

async fn whoever_takes_a_call_and_is_gone_before_it_reaches_them_is_not_the_end_of_it(
    database: Database,
) {
    let mut desk = Desk::on(database).start().await;
    let mut told = Told { desk: &mut desk };
    let twiml = told.begins().await;
    told.takes(&twiml).await;
    // Nobody has talked with the caller, who still hears it ring.
    let next = told.ring_ends(&twiml).await;
    assert!(next.contains(BACKUP_PHONE), "{next}");
    assert_eq!(rung_first(&desk).await, SERGIO_PHONE);
    desk.close().await;
}
