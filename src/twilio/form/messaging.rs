use std::fmt;

use sha2::{Digest, Sha256};

use super::{FormError, Params};
use crate::phone::Address;
use crate::twilio::message::MessageState;
use crate::twilio::{AccountSid, MessageSid};

/// An inbound message (<https://www.twilio.com/docs/messaging/guides/webhook-request>).
#[derive(Clone, PartialEq, Eq)]
pub struct InboundSms {
    pub message_sid: MessageSid,
    pub account_sid: Option<AccountSid>,
    pub from: Address,
    pub to: Address,
    /// The text exactly as sent; empty for a message of media only. For a pressed button its label, for a shared location its
    /// label and coordinates.
    pub body: String,
    /// The attached files, in the order sent.
    pub media: Vec<Media>,
    /// The number of files that Twilio reports.
    pub num_media: u32,
    pub from_city: Option<String>,
    /// Two letters in North America.
    pub from_state: Option<String>,
    /// The ISO country code, two letters.
    pub from_country: Option<String>,
    /// The keyword that Twilio has answered itself; only sent with Advanced Opt-Out.
    pub opt_out_type: Option<OptOut>,
}

/// A file of a message, stored at Twilio.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    pub url: String,
    /// The MIME type, as the sender's phone reported it.
    pub content_type: String,
}

impl Media {
    /// Returns the file's SID if its URL is that of a file of this message of this account. Requests are built from the SID;
    /// the URL itself is never fetched.
    pub fn sid(&self, account: &AccountSid, message: &MessageSid) -> Option<&str> {
        let path = format!("/2010-04-01/Accounts/{account}/Messages/{message}/Media/");
        let (_, rest) = self.url.split_once("://")?;
        let sid = rest.get(rest.find('/')?..)?.strip_prefix(&path)?;
        let is_sid = sid.len() == 34
            && sid.starts_with("ME")
            && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_sid.then_some(sid)
    }
}

/// The kind of keyword that a texter sent: to opt out, to opt in again, or to ask for help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    Stop,
    Start,
    Help,
}

impl InboundSms {
    /// Parses the form. Every field may be missing or malformed, so that no text is lost.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let message_sid = message_sid(params);
        let params = Params(params);
        // Do not trust NumMedia: take every file that the form lists.
        let media: Vec<Media> = (0..)
            .map_while(|n| {
                Some(Media {
                    url: params.string(&format!("MediaUrl{n}"))?,
                    content_type: params
                        .string(&format!("MediaContentType{n}"))
                        .unwrap_or_else(|| "application/octet-stream".to_owned()),
                })
            })
            .collect();
        Self {
            message_sid,
            account_sid: params.optional_sid("AccountSid"),
            from: params.address("From"),
            to: params.address("To"),
            body: words(&params),
            num_media: params.number("NumMedia").unwrap_or(media.len() as u32),
            media,
            from_city: params.string("FromCity"),
            from_state: params.string("FromState"),
            from_country: params.string("FromCountry"),
            opt_out_type: match params.get("OptOutType") {
                Some("STOP") => Some(OptOut::Stop),
                Some("START") => Some(OptOut::Start),
                Some("HELP") => Some(OptOut::Help),
                _ => None,
            },
        }
    }
}

/// Whether the form reports a message rather than a call.
pub fn is_text(params: &[(String, String)]) -> bool {
    let has = |name: &str| params.iter().any(|(known, _)| known == name);
    has("MessageSid")
        || (!has("CallSid")
            && ["SmsMessageSid", "SmsSid", "NumMedia", "Body"]
                .iter()
                .any(|it| has(it)))
}

/// Returns the SID, under any of its parameter names. If the form has none, derives one from a hash of all parameters, so
/// that a retry of the request gets the same SID.
fn message_sid(params: &[(String, String)]) -> MessageSid {
    let named = Params(params);
    let told = ["MessageSid", "SmsMessageSid", "SmsSid"]
        .iter()
        .find_map(|name| named.optional_sid(name));
    told.unwrap_or_else(|| {
        let mut hash = Sha256::new();
        for (name, value) in params {
            hash.update(name.len().to_be_bytes());
            hash.update(name);
            hash.update(value.len().to_be_bytes());
            hash.update(value);
        }
        MessageSid::made_from(&hex::encode(hash.finalize()))
    })
}

/// Returns the words of the message. RCS and WhatsApp also send button presses and locations, which may have no `Body`
/// (<https://www.twilio.com/docs/messaging/guides/webhook-request>).
fn words(params: &Params<'_>) -> String {
    let pressed = || params.string("ButtonText");
    let place = || {
        let (latitude, longitude) = (params.get("Latitude")?, params.get("Longitude")?);
        let named = [params.get("Label"), params.get("Address")];
        let named: Vec<&str> = named.into_iter().flatten().collect();
        let at = format!("{latitude}, {longitude}");
        Some(if named.is_empty() {
            at
        } else {
            format!("{} ({at})", named.join(", "))
        })
    };
    let body = params.string("Body").filter(|body| !body.trim().is_empty());
    body.or_else(pressed).or_else(place).unwrap_or_default()
}

/// Leaves out the body and the media URLs, which must not reach a log.
impl fmt::Debug for InboundSms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundSms")
            .field("message_sid", &self.message_sid)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("num_media", &self.num_media)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// A status callback of an outbound message
/// (<https://www.twilio.com/docs/messaging/guides/track-outbound-message-status>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageStatus {
    pub message_sid: MessageSid,
    pub status: MessageState,
    /// Why it failed; [`error_code`](crate::twilio::error_code) explains the code.
    pub error_code: Option<u32>,
    pub from: Option<Address>,
    pub to: Option<Address>,
}

impl MessageStatus {
    /// Parses the form of a status callback; an error if the SID or the status is missing or malformed.
    pub fn from_params(params: &[(String, String)]) -> Result<Self, FormError> {
        let params = Params(params);
        Ok(Self {
            message_sid: params.sid("MessageSid")?,
            status: MessageState::parse(params.required("MessageStatus")?),
            error_code: params.number("ErrorCode"),
            from: params.get("From").map(Address::new),
            to: params.get("To").map(Address::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::form;

    const SID: &str = "SM00000000000000000000000000000001";
    const ACCOUNT: &str = "AC00000000000000000000000000000000";

    fn params(more: &str) -> Vec<(String, String)> {
        form::parse(
            format!("MessageSid={SID}&AccountSid={ACCOUNT}&To=%2B16195550100&{more}").as_bytes(),
        )
    }

    #[test]
    fn a_text_with_everything() {
        let sms = InboundSms::from_params(&params(
            "From=%2B16195550142&Body=+%3C%21channel%3E+%0A&NumMedia=2&FromCity=SAN+DIEGO&FromState=CA\
             &FromCountry=US&OptOutType=STOP&MediaUrl1=https%3A%2F%2Fb&MediaContentType1=image%2Fpng\
             &MediaUrl0=https%3A%2F%2Fa&MediaContentType0=image%2Fjpeg&SomethingNew=1",
        ));
        assert_eq!(sms.message_sid.as_str(), SID);
        assert_eq!(sms.account_sid, AccountSid::parse(ACCOUNT).ok());
        assert_eq!(sms.from, Address::new("+16195550142"));
        assert_eq!(sms.to, Address::new("+16195550100"));
        assert_eq!(sms.body, " <!channel> \n");
        assert_eq!(sms.num_media, 2);
        let media: Vec<_> = sms
            .media
            .iter()
            .map(|m| (m.url.as_str(), m.content_type.as_str()))
            .collect();
        assert_eq!(
            media,
            [("https://a", "image/jpeg"), ("https://b", "image/png")]
        );
        assert_eq!(sms.from_city.as_deref(), Some("SAN DIEGO"));
        assert_eq!(sms.from_state.as_deref(), Some("CA"));
        assert_eq!(sms.from_country.as_deref(), Some("US"));
        assert_eq!(sms.opt_out_type, Some(OptOut::Stop));
        let debug = format!("{sms:?}");
        assert!(
            !debug.contains("channel") && !debug.contains("0142"),
            "{debug}"
        );
    }

    #[test]
    fn a_file_is_known_by_the_message_it_belongs_to() {
        let (account, message) = (
            AccountSid::parse(ACCOUNT).unwrap(),
            MessageSid::parse(SID).unwrap(),
        );
        let medium = format!("ME{}", "a".repeat(32));
        let of = |account: &str, message: &str, medium: &str| {
            format!(
                "https://api.twilio.com/2010-04-01/Accounts/{account}/Messages/{message}/Media/{medium}"
            )
        };
        let other = "0".repeat(31) + "7";
        for (url, expected) in [
            (of(ACCOUNT, SID, &medium), Some(medium.as_str())),
            (of(&format!("AC{other}"), SID, &medium), None),
            (of(ACCOUNT, &format!("SM{other}"), &medium), None),
            (of(ACCOUNT, SID, "ME1"), None),
            (of(ACCOUNT, SID, &format!("{medium}/../../x")), None),
            (of(ACCOUNT, SID, &format!("{medium}?x=1")), None),
            (format!("https://evil.example/{medium}"), None),
            (medium.clone(), None),
            (String::new(), None),
        ] {
            let media = Media {
                url: url.clone(),
                content_type: String::new(),
            };
            assert_eq!(media.sid(&account, &message), expected, "{url}");
        }
    }

    #[test]
    fn a_text_with_next_to_nothing_still_arrives() {
        let sms =
            InboundSms::from_params(&params("Body=&FromCity=&NumMedia=many&OptOutType=LATER"));
        assert_eq!(sms.body, "");
        assert!(sms.from.is_withheld());
        assert_eq!((sms.num_media, sms.media.len()), (0, 0));
        assert_eq!((sms.from_city, sms.opt_out_type), (None, None));
    }

    #[test]
    fn more_media_than_twilio_allows_are_all_kept() {
        let many: String = (0..11)
            .map(|n| format!("&MediaUrl{n}=https%3A%2F%2Fm%2F{n}"))
            .collect();
        let sms = InboundSms::from_params(&params(&many));
        assert_eq!((sms.num_media, sms.media.len()), (11, 11));
        assert_eq!(sms.media[10].content_type, "application/octet-stream");
    }

    #[test]
    fn a_text_without_a_sid_of_its_own_gets_one_that_stays() {
        let read = |body: &str| InboundSms::from_params(&form::parse(body.as_bytes()));
        for form in [
            format!("SmsSid={SID}"),
            format!("MessageSid=&SmsMessageSid={SID}"),
        ] {
            assert_eq!(read(&form).message_sid.as_str(), SID, "{form}");
        }
        let made = |body: &str| read(body).message_sid;
        assert_eq!(made("MessageSid=SM1&Body=x"), made("MessageSid=SM1&Body=x"));
        assert_ne!(made("Body=x"), made("Body=y"));
        assert_ne!(made("Body=xTo&a="), made("Body=x&Toa="));
        let sms = read("Body=x");
        assert_eq!((sms.to.as_str(), sms.account_sid), ("", None));
    }

    #[test]
    fn what_has_no_words_of_its_own_still_says_something() {
        for (form, words) in [
            ("Body=Hello&ButtonText=Yes", "Hello"),
            ("ButtonText=Yes&ButtonPayload=1", "Yes"),
            ("Latitude=32.7&Longitude=-117.1", "32.7, -117.1"),
            (
                "Latitude=32.7&Longitude=-117.1&Label=Pier+4",
                "Pier 4 (32.7, -117.1)",
            ),
            ("Latitude=32.7", ""),
        ] {
            assert_eq!(InboundSms::from_params(&params(form)).body, words, "{form}");
        }
    }

    #[test]
    fn a_text_is_told_from_a_call() {
        for (form, text) in [
            ("MessageSid=SM1&CallSid=CA1", true),
            ("MessageSid=", true),
            ("SmsSid=SM1", true),
            ("NumMedia=0", true),
            ("CallSid=CA1&Body=x", false),
            ("CallStatus=ringing", false),
            ("", false),
        ] {
            assert_eq!(is_text(&form::parse(form.as_bytes())), text, "{form}");
        }
    }

    #[test]
    fn a_status_is_read_with_and_without_its_reason() {
        let status =
            MessageStatus::from_params(&params("MessageStatus=undelivered&ErrorCode=30003"))
                .unwrap();
        assert_eq!(
            (status.status, status.error_code),
            (MessageState::Undelivered, Some(30003))
        );
        assert_eq!(
            (status.from, status.to),
            (None, Some(Address::new("+16195550100")))
        );
        let status =
            MessageStatus::from_params(&params("MessageStatus=teleported&ErrorCode=")).unwrap();
        assert_eq!(
            (status.status, status.error_code),
            (MessageState::Other("teleported".to_owned()), None)
        );
        assert_eq!(
            MessageStatus::from_params(&params("")),
            Err(FormError::Missing("MessageStatus"))
        );
    }
}
