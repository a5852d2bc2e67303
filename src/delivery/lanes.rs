//! The lane of each delivery, in which nothing overtakes, and the throttle through which its requests leave.

use crate::store::lanes::{FIRST_SERVED, Lane};
use crate::vocabulary::{ConversationId, MessageId};

/// The throttle of reactions: Slack limits them for the whole workspace.
pub(crate) const MARKS_GATE: &str = "marks";

/// The throttle of edits of roots: Slack limits them for the whole workspace, and no post need wait for one.
pub(crate) const ROOTS_GATE: &str = "roots";

/// The throttle of the app's homes.
pub(crate) const HOMES_GATE: &str = "homes";

/// The throttle of forms: nothing may hold up what has to be there within 3 seconds.
pub(crate) const FORMS_GATE: &str = "forms";

/// The throttle of a line's Slack channel.
pub(crate) fn slack_throttle(line: &str) -> String {
    format!("slack:{line}")
}

/// The throttle of a line's Twilio number.
pub(crate) fn twilio_throttle(line: &str) -> String {
    format!("twilio:{line}")
}

/// A conversation's posts, in order. `line` is its number.
pub(crate) fn thread_lane(line: &str, conversation_id: &ConversationId) -> Lane {
    Lane {
        id: format!("thread:{conversation_id}"),
        throttle: slack_throttle(line),
    }
}

/// A conversation's texts to the phone, in order: a reply whose fate is unknown does not hold what the caller writes.
pub(crate) fn phone_lane(line: &str, conversation_id: &ConversationId) -> Lane {
    Lane {
        id: format!("phone:{conversation_id}"),
        throttle: twilio_throttle(line),
    }
}

/// The word in an old thread that its conversation goes on elsewhere: nothing waits for it.
pub(crate) fn pointer_lane(line: &str, channel: &str, root: &str) -> Lane {
    Lane {
        id: format!("pointer:{channel}:{root}"),
        throttle: slack_throttle(line),
    }
}

/// A line's lists of new callers, in order.
pub(crate) fn list_lane(line: &str) -> Lane {
    Lane {
        id: format!("list:{line}"),
        throttle: slack_throttle(line),
    }
}

/// The edits of one list.
pub(crate) fn listing_lane(list: &str) -> Lane {
    Lane {
        id: format!("listing:{list}"),
        throttle: ROOTS_GATE.to_owned(),
    }
}

/// The look for copies of one post, which no other post need wait for.
pub(crate) fn copies_lane(post: &str) -> Lane {
    Lane {
        id: format!("copies:{post}"),
        throttle: ROOTS_GATE.to_owned(),
    }
}

/// A line's announcements, in order.
pub(crate) fn channel_lane(line: &str) -> Lane {
    Lane {
        id: format!("channel:{line}"),
        throttle: slack_throttle(line),
    }
}

/// The throttle of what one person alone is told: Slack limits it by itself, so that no flood of posts holds it up.
pub(crate) fn asks_throttle(line: &str) -> String {
    format!("asks:{line}")
}

/// What one person alone is told: a lane each, so that nobody's waits for another's.
pub(crate) fn ephemeral_lane(line: &str, user: &str) -> Lane {
    Lane {
        id: format!("asks:{line}:{user}"),
        throttle: asks_throttle(line),
    }
}

/// A conversation's questions to people, in order. They pass the channel's other posts.
pub(crate) fn question_lane(line: &str, conversation_id: &ConversationId) -> Lane {
    Lane {
        id: format!("{}{conversation_id}", FIRST_SERVED),
        throttle: slack_throttle(line),
    }
}

/// The throttle of callers' files: what Twilio is slow to give out must not hold up words.
pub(crate) fn pictures_throttle(line: &str) -> String {
    format!("pictures:{line}")
}

/// One file from a caller: one that does not come must not keep the others away.
pub(crate) fn picture_lane(line: &str, message: &str, media: &str) -> Lane {
    Lane {
        id: format!("picture:{message}:{media}"),
        throttle: pictures_throttle(line),
    }
}

/// One recording: however long it takes to come, nothing waits for it.
pub(crate) fn recording_lane(line: &str, recording: &str) -> Lane {
    Lane {
        id: format!("recording:{recording}"),
        throttle: slack_throttle(line),
    }
}

/// The words of one post of ours.
pub(crate) fn update_lane(line: &str, ts: &str) -> Lane {
    Lane {
        id: format!("update:{line}:{ts}"),
        throttle: slack_throttle(line),
    }
}

/// The root of one thread.
pub(crate) fn root_lane(channel: &str, ts: &str) -> Lane {
    Lane {
        id: format!("root:{channel}:{ts}"),
        throttle: ROOTS_GATE.to_owned(),
    }
}

/// One person's home.
pub(crate) fn home_lane(person: &str) -> Lane {
    Lane {
        id: format!("home:{person}"),
        throttle: HOMES_GATE.to_owned(),
    }
}

/// The forms of one person.
pub(crate) fn form_lane(user: &str) -> Lane {
    Lane {
        id: format!("form:{user}"),
        throttle: FORMS_GATE.to_owned(),
    }
}

/// The mark on one message.
pub(crate) fn mark_lane(message_id: &MessageId) -> Lane {
    Lane {
        id: format!("mark:{message_id}"),
        throttle: MARKS_GATE.to_owned(),
    }
}
