//! Slack's words as the texts a phone shows, and as what has to be delivered for them.

use crate::app::App;
use crate::bridge::replies::files;
use crate::delivery::Delivery;
use crate::slack::event::File;
use crate::slack::mrkdwn::{self, Names};
use crate::twilio;

/// What has to be delivered so that a phone shows these words of Slack's.
pub(crate) fn deliveries(app: &App, text: &str, files: &[File]) -> Vec<Delivery> {
    let mentions = mrkdwn::mentions(text);
    if !files.is_empty() {
        // Only the worker may fetch them.
        vec![files::enclose(text, files)]
    } else if mentions.users.is_empty() && mentions.channels.is_empty() {
        let bodies = to_texts(app, text, &Names::default()).into_iter();
        bodies.map(|body| Delivery::Sms { body }).collect()
    } else {
        // Names have to be asked for, which only the worker may do.
        vec![Delivery::Reply {
            slack_text: text.to_owned(),
            counted: 0,
        }]
    }
}

/// Slack's words as the texts a phone shows, split at words where they are too long for one.
pub(crate) fn to_texts(app: &App, slack_text: &str, names: &Names) -> Vec<String> {
    bodies(app, &mrkdwn::plain_text(slack_text, names))
}

/// Plain words as the texts a phone shows.
pub(crate) fn bodies(app: &App, words: &str) -> Vec<String> {
    if app.config.desk.smart_encoding {
        twilio::segment::split(twilio::segments::fold(words.trim()).trim())
    } else {
        twilio::segment::split(words.trim())
    }
}
