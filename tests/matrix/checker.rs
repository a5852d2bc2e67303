//! Compares what the stand-ins logged with the database, the audit trail, the log and what Slack shows.
//!
//! Each check has a name and gives back what it found wrong, in sentences. What `ALWAYS` finds can never come right
//! again; what `AT_THE_END` finds may only be late, so it counts once nothing moves any more.

mod replay;
mod seen;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use seen::{Entry, Seen};

use qdn_relay::twilio::message::MessageState;
use qdn_sandbox::twilio::Created;

use crate::load::{CALLERS, Reply, display};

type Check = (&'static str, fn(&Seen) -> Vec<String>);

/// Must hold at every moment, also right after a kill.
pub(crate) const ALWAYS: [Check; 11] = [
    ("acknowledged texts are kept", acknowledged_texts),
    ("acknowledged replies are kept", acknowledged_replies),
    ("acknowledged callbacks count", acknowledged_callbacks),
    ("no reply is texted twice", texted_twice),
    ("nothing else is texted", texted_at_all),
    ("replies leave in order", order_to_phones),
    ("texts appear in order", order_in_slack),
    ("attempts come before requests", attempts_before_requests),
    ("again only on proof", again_only_on_proof),
    ("nothing secret in the log", secrets),
    ("the vendors would have it", violations),
];

/// Must hold once nothing moves any more.
pub(crate) const AT_THE_END: [Check; 8] = [
    ("everything is done", everything_done),
    ("every text is shown once", texts_shown),
    ("every reply is texted", replies_texted),
    ("every SMS is bound", sms_bound),
    ("statuses are known", statuses),
    ("marks agree", marks),
    ("the audit is complete", audit_complete),
    ("the audit replays", replay::check),
];

/// What these checks find, each sentence with its check's name before it.
pub(crate) fn run(checks: &[Check], seen: &Seen) -> Vec<String> {
    checks
        .iter()
        .flat_map(|(name, check)| {
            check(seen)
                .into_iter()
                .map(move |it| format!("{name}: {it}"))
        })
        .collect()
}

const ASKED_WITHOUT_NEED: &str = "nobody is asked without need";

/// People were asked what the service could have found out by itself. It could not where more SMS were given up than the
/// cell left without an answer (`silences`): then this machine was too busy to answer in time.
pub(crate) fn asked_without_need(seen: &Seen, silences: usize) -> Vec<String> {
    let entries = || seen.audit.iter();
    let is_given_up = |entry: &&Entry| {
        entry.decision == "unknown"
            && entry.word("kind") == "sms"
            && entry.reason.contains("timed out")
    };
    if entries().filter(is_given_up).count() > silences {
        return Vec::new();
    }
    entries()
        .filter(|entry| entry.decision == "undecided")
        .map(|entry| format!("{ASKED_WITHOUT_NEED}: {} ({})", entry.subject, entry.reason))
        .collect()
}

fn acknowledged_texts(seen: &Seen) -> Vec<String> {
    let texts = seen.said.texts.iter();
    texts
        .filter(|text| text.acknowledged.is_some())
        .filter(|text| {
            !seen
                .messages
                .iter()
                .any(|row| row.origin == "twilio" && row.external_id == text.sid)
        })
        .map(|text| {
            format!(
                "\"{}\" was answered 2xx and is not in the database",
                text.body
            )
        })
        .collect()
}

fn acknowledged_replies(seen: &Seen) -> Vec<String> {
    let replies = seen.said.replies.iter();
    replies
        .filter(|reply| seen.acknowledged_events.contains(&reply.ts))
        .filter(|reply| {
            let kept = seen.messages.iter().any(|row| row.ts == reply.ts);
            let parked = seen.parked_replies.iter().any(|(_, ts)| *ts == reply.ts);
            !kept && !parked
        })
        .map(|reply| {
            format!(
                "\"{}\" was answered 2xx and is not in the database",
                reply.body
            )
        })
        .collect()
}

fn rank(status: &str) -> u8 {
    MessageState::parse(status).rank()
}

fn acknowledged_callbacks(seen: &Seen) -> Vec<String> {
    let callbacks = seen.callbacks.iter();
    callbacks
        .filter(|callback| callback.answered.is_some_and(|status| status < 300))
        .filter(|callback| {
            let parked = seen
                .parked_statuses
                .iter()
                .any(|(sid, status)| *sid == callback.message_sid && *status == callback.status);
            let row = seen.sms.iter().find(|sms| sms.sid == callback.message_sid);
            !parked && row.is_none_or(|sms| rank(&sms.status) < rank(&callback.status))
        })
        .map(|callback| {
            let stands = seen.sms.iter().find(|sms| sms.sid == callback.message_sid);
            format!(
                "{} was reported {} and answered 2xx, but stands at {:?}",
                callback.message_sid,
                callback.status,
                stands.map(|sms| &sms.status)
            )
        })
        .collect()
}

fn replies_of<'a>(seen: &'a Seen, caller: &'a str) -> impl Iterator<Item = &'a Reply> {
    let replies = seen.said.replies.iter();
    replies.filter(move |reply| reply.caller == caller && !reply.is_note)
}

fn counts<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

fn texted_twice(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    let rows = seen.created.iter().filter_map(Seen::origin_of);
    let rows: Vec<String> = rows.map(|(row, _)| row).collect();
    for (row, times) in counts(rows.iter().map(String::as_str)) {
        if times > 1 {
            problems.push(format!(
                "delivery {row} was accepted by Twilio {times} times"
            ));
        }
    }
    // A reply that is being told of is not in the load's own list yet.
    for caller in CALLERS.into_iter().filter(|_| seen.said.complete) {
        let created = seen.created.iter().filter(|sms| sms.to == caller);
        let wanted = counts(replies_of(seen, caller).map(|reply| reply.body.as_str()));
        for (body, times) in counts(created.map(|sms| sms.body.as_str())) {
            let wanted = wanted.get(body).copied().unwrap_or_default();
            if times > wanted {
                problems.push(format!(
                    "\"{body}\" was written {wanted} times and texted {times} times"
                ));
            }
        }
    }
    problems
}

fn texted_at_all(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    for sms in &seen.created {
        let of_caller = || {
            seen.said
                .replies
                .iter()
                .filter(|reply| reply.caller == sms.to)
        };
        if of_caller().any(|reply| reply.is_note && reply.body.contains(&sms.body)) {
            problems.push(format!(
                "\"{}\" was to stay inside and was texted",
                sms.body
            ));
        }
        if seen.said.complete && !of_caller().any(|reply| reply.body == sms.body) {
            problems.push(format!(
                "\"{}\" was texted to somebody it was not for",
                sms.body
            ));
        }
    }
    problems
}

/// Rows that somebody decided about, or may have to: they no longer hold the others.
fn decided(seen: &Seen) -> BTreeSet<&str> {
    let asked = seen.audit.iter().filter(|entry| {
        matches!(
            entry.decision.as_str(),
            "undecided" | "reply_found_late" | "operator_retry"
        )
    });
    asked.flat_map(|entry| entry.outbox()).collect()
}

fn order_to_phones(seen: &Seen) -> Vec<String> {
    let decided = decided(seen);
    let mut last: BTreeMap<&str, (i64, i64, &str)> = BTreeMap::new();
    let mut problems = Vec::new();
    for sms in &seen.created {
        let Some(row) = Seen::origin_of(sms).and_then(|(row, _)| seen.row(&row)) else {
            continue;
        };
        if decided.contains(row.id.as_str()) {
            continue;
        }
        let place = (row.seq, row.part, sms.body.as_str());
        if let Some(before) = last.insert(&row.lane, place)
            && (before.0, before.1) > (row.seq, row.part)
        {
            problems.push(format!("\"{}\" left before \"{}\"", before.2, sms.body));
        }
    }
    for caller in CALLERS {
        let sent: Vec<&str> = seen
            .created
            .iter()
            .filter(|sms| sms.to == caller)
            .filter(|sms| {
                Seen::origin_of(sms).is_none_or(|(row, _)| !decided.contains(row.as_str()))
            })
            .map(|sms| sms.body.as_str())
            .collect();
        let replies: Vec<&Reply> = replies_of(seen, caller).collect();
        let is_once = |reply: &Reply| replies.iter().filter(|r| r.body == reply.body).count() == 1;
        for first in replies.iter().filter(|reply| is_once(reply)) {
            for second in replies.iter().filter(|reply| is_once(reply)) {
                if first.acknowledged.is_none_or(|at| at > second.began) {
                    continue;
                }
                let place = |reply: &Reply| sent.iter().position(|body| *body == reply.body);
                if let (Some(one), Some(other)) = (place(first), place(second))
                    && one > other
                {
                    problems.push(format!(
                        "\"{}\" was written after \"{}\" and texted before it",
                        second.body, first.body
                    ));
                }
            }
        }
    }
    problems
}

fn order_in_slack(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    let shown_at = |body: &str| {
        let mut posts = seen.posts.iter().filter(|post| post.words.contains(body));
        posts.next().map(|post| post.ts.as_str())
    };
    for first in &seen.said.texts {
        for second in &seen.said.texts {
            if first.caller != second.caller
                || first.acknowledged.is_none_or(|at| at > second.began)
            {
                continue;
            }
            if let (Some(one), Some(other)) = (shown_at(&first.body), shown_at(&second.body))
                && one > other
            {
                problems.push(format!(
                    "\"{}\" came first and stands below \"{}\"",
                    first.body, second.body
                ));
            }
        }
    }
    problems
}

fn attempts_before_requests(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    for sms in &seen.created {
        let Some((row, n)) = Seen::origin_of(sms) else {
            problems.push(format!(
                "{} was created without naming its delivery",
                sms.sid
            ));
            continue;
        };
        let attempt = seen
            .attempts
            .iter()
            .find(|attempt| attempt.outbox_id == row && attempt.n == n);
        match attempt {
            None => problems.push(format!(
                "{} was created without an attempt in the database",
                sms.sid
            )),
            Some(attempt) if attempt.started_at > sms.at.as_millisecond() => {
                problems.push(format!("{} was created before its attempt began", sms.sid));
            }
            Some(attempt)
                if matches!(
                    attempt.outcome.as_str(),
                    "not sent" | "held" | "refused" | "absent"
                ) =>
            {
                problems.push(format!(
                    "{} was created by an attempt that passes for \"{}\"",
                    sms.sid, attempt.outcome
                ));
            }
            Some(_) => {}
        }
    }
    problems
}

fn again_only_on_proof(seen: &Seen) -> Vec<String> {
    // Two looks that prove something are 3 s of 95 apart.
    let apart = seen.settle_after * 3 / 95;
    let mut problems = Vec::new();
    for pair in seen.attempts.windows(2) {
        let [before, after] = pair else { continue };
        let Some(row) = seen.row(&after.outbox_id) else {
            continue;
        };
        if before.outbox_id != after.outbox_id || row.kind != "sms" {
            continue;
        }
        let by_a_person = || {
            seen.audit.iter().any(|entry| {
                matches!(entry.decision.as_str(), "decided_send" | "operator_retry")
                    && (before.started_at..=after.started_at).contains(&entry.at)
                    && entry.outbox().contains(&row.id.as_str())
            })
        };
        let waited = after.started_at - before.started_at;
        let between_looks = before
            .absent_since
            .map_or(0, |since| after.started_at - since);
        let proven = match before.outcome.as_str() {
            "not sent" | "held" | "resolved" => true,
            "absent" => waited >= seen.settle_after && between_looks >= apart,
            _ => false,
        };
        if !proven && !by_a_person() {
            problems.push(format!(
                "delivery {} was tried again {waited} ms after an attempt that ended \"{}\", first seen absent {between_looks} ms before",
                row.id, before.outcome
            ));
        }
    }
    problems
}

fn secrets(seen: &Seen) -> Vec<String> {
    let mut hidden: Vec<String> = [
        qdn_sandbox::twilio::AUTH_TOKEN,
        qdn_sandbox::slack::SIGNING_SECRET,
        "not-a-real-",
        "xoxb-",
    ]
    .map(str::to_owned)
    .to_vec();
    let numbers = CALLERS.iter().copied().chain([crate::desk::LINE]);
    hidden.extend(numbers.map(|number| number.trim_start_matches('+').to_owned()));
    hidden.extend(seen.said.texts.iter().map(|text| text.body.clone()));
    hidden.extend(seen.said.replies.iter().map(|reply| reply.body.clone()));
    let mut problems: Vec<String> = hidden
        .iter()
        .filter(|words| seen.log.iter().any(|line| line.contains(*words)))
        .map(|words| format!("\"{words}\" stands in the log"))
        .collect();
    let panics = seen.log.iter().filter(|line| line.contains("panicked"));
    problems.extend(panics.map(|line| format!("it panicked: {line}")));
    problems
}

/// A press that cannot be kept within its budget is answered with 503 or too late, and the person presses again. One that
/// never counts leaves its question open to the end.
fn violations(seen: &Seen) -> Vec<String> {
    let is_pressed_again = |violation: &str| {
        violation.starts_with("reply_")
            && (violation.ends_with(": answered with 503")
                || violation.ends_with(": no answer (http_timeout)"))
    };
    let violations = seen.violations.iter();
    let mut violations: Vec<String> = violations.cloned().collect();
    violations.retain(|violation| !is_pressed_again(violation));
    violations
}

fn everything_done(seen: &Seen) -> Vec<String> {
    let waiting = seen
        .outbox
        .iter()
        .filter(|row| row.pending == 1 && (row.kind != "mark" || row.state != "waiting"));
    let mut problems: Vec<String> = waiting
        .map(|row| {
            format!(
                "{} {} is {} after {} attempts ({})",
                row.kind, row.id, row.state, row.attempts, row.last_error
            )
        })
        .collect();
    let given_up = seen
        .outbox
        .iter()
        .filter(|row| matches!(row.state.as_str(), "refused" | "undecided" | "dropped"))
        // What one person is told waits for no channel that takes nothing.
        .filter(|row| row.kind != "ephemeral" || !row.last_error.starts_with("is_archived"));
    problems.extend(given_up.map(|row| {
        format!(
            "{} {} ended {} ({})",
            row.kind, row.id, row.state, row.last_error
        )
    }));
    for (sid, status) in &seen.parked_statuses {
        problems.push(format!("{status} of {sid} is still parked"));
    }
    for (root, ts) in &seen.parked_replies {
        if seen.threads.iter().any(|thread| thread.ts == *root) {
            problems.push(format!(
                "the reply {ts} is still parked though its thread is known"
            ));
        }
    }
    problems
}

fn texts_shown(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    let texts = seen.said.texts.iter();
    for text in texts.filter(|text| !seen.said.deleted.contains(&text.body)) {
        let shown: Vec<_> = seen
            .posts
            .iter()
            .filter(|post| post.words.contains(&text.body))
            .collect();
        if shown.len() != 1 {
            problems.push(format!("\"{}\" is shown {} times", text.body, shown.len()));
        }
        let conversation = seen
            .conversations
            .iter()
            .find(|one| one.caller == text.caller);
        for post in shown {
            let thread = seen.threads.iter().find(|thread| thread.ts == post.root);
            if thread.map(|thread| &thread.conversation_id) != conversation.map(|one| &one.id) {
                problems.push(format!("\"{}\" is not in its caller's thread", text.body));
            }
        }
    }
    for caller in CALLERS {
        let name = display(caller);
        if !seen
            .posts
            .iter()
            .any(|post| post.ts == post.root && post.words.contains(&name))
        {
            problems.push("a caller has no thread".to_owned());
        }
    }
    problems
}

fn replies_texted(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    for caller in CALLERS {
        let created = seen.created.iter().filter(|sms| sms.to == caller);
        let created = counts(created.map(|sms| sms.body.as_str()));
        for (body, wanted) in counts(replies_of(seen, caller).map(|reply| reply.body.as_str())) {
            let texted = created.get(body).copied().unwrap_or_default();
            if texted != wanted {
                problems.push(format!(
                    "\"{body}\" was written {wanted} times and texted {texted} times"
                ));
            }
        }
    }
    problems
}

/// Rows of which a person said that they arrived: their SMS may stay without a name.
fn said_to_have_arrived(seen: &Seen) -> BTreeSet<&str> {
    let said = seen.audit.iter();
    said.filter(|entry| entry.decision == "decided_arrived")
        .flat_map(|entry| entry.outbox())
        .collect()
}

fn sms_bound(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    let arrived = said_to_have_arrived(seen);
    for sms in &seen.created {
        let row = Seen::origin_of(sms).map(|(row, _)| row);
        let bound = seen.sms.iter().find(|one| one.sid == sms.sid);
        let is_excused = row.as_deref().is_some_and(|row| arrived.contains(row));
        if bound.map(|one| &one.outbox_id) != row.as_ref() && !(bound.is_none() && is_excused) {
            problems.push(format!(
                "{} is not bound to the delivery that made it",
                sms.sid
            ));
        }
    }
    let is_created = |sid: &str| seen.created.iter().any(|sms| sms.sid == sid);
    let invented = seen.sms.iter().filter(|sms| !is_created(&sms.sid));
    problems.extend(invented.map(|sms| format!("{} was never created", sms.sid)));
    problems
}

fn statuses(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    for sms in &seen.sms {
        let at_twilio = seen.at_twilio.iter().find(|one| one.sid == sms.sid);
        if at_twilio.map(|one| &one.status) != Some(&sms.status) {
            let truth = at_twilio
                .map(|one| one.status.as_str())
                .unwrap_or("nowhere");
            problems.push(format!(
                "{} is {truth} at Twilio and {} here",
                sms.sid, sms.status
            ));
        }
    }
    problems
}

fn marks(seen: &Seen) -> Vec<String> {
    let arrived = said_to_have_arrived(seen);
    let mut problems = Vec::new();
    for reply in &seen.said.replies {
        let Some(message) = seen.messages.iter().find(|row| row.ts == reply.ts) else {
            continue;
        };
        let sms: Vec<_> = seen
            .sms
            .iter()
            .filter(|sms| sms.message_id == message.id)
            .collect();
        let mut rows = seen
            .outbox
            .iter()
            .filter(|row| row.message_id == message.id);
        let is_arrived = sms.is_empty() && rows.any(|row| arrived.contains(row.id.as_str()));
        let failed = |status: &str| matches!(status, "failed" | "undelivered" | "canceled");
        let wanted = if reply.is_note && reply.is_to_colleague() {
            ""
        } else if reply.is_note {
            "lock"
        } else if sms.iter().any(|sms| failed(&sms.status)) {
            "x"
        } else if is_arrived || (!sms.is_empty() && sms.iter().all(|sms| sms.status == "delivered"))
        {
            "white_check_mark"
        } else {
            ""
        };
        let shown = seen
            .reactions
            .get(&reply.ts)
            .cloned()
            .unwrap_or_default()
            .join(" ");
        if shown != wanted || message.mark != wanted {
            problems.push(format!(
                "\"{}\" should bear \"{wanted}\", bears \"{shown}\" and is kept as \"{}\"",
                reply.body, message.mark
            ));
        }
    }
    problems
}

fn audit_complete(seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    let mut once = |decisions: &[&str], subject: &str, what: &str| {
        let times = seen
            .audit
            .iter()
            .filter(|entry| {
                entry.subject == subject && decisions.contains(&entry.decision.as_str())
            })
            .count();
        if times != 1 {
            problems.push(format!("{what} stands {times} times in the audit"));
        }
    };
    for text in &seen.said.texts {
        once(&["text_received"], &text.sid, &format!("\"{}\"", text.body));
    }
    for reply in &seen.said.replies {
        let decisions: &[&str] = match reply.is_note {
            true if reply.is_to_colleague() => &["asked_writer"],
            true => &["kept_inside"],
            false => &["reply_received", "reply_found_late"],
        };
        let subject = format!("{}:{}", crate::desk::CHANNEL, reply.ts);
        once(decisions, &subject, &format!("\"{}\"", reply.body));
    }
    let arrived = said_to_have_arrived(seen);
    let is_excused = |sms: &&Created| {
        Seen::origin_of(sms).is_some_and(|(row, _)| arrived.contains(row.as_str()))
            && !seen.sms.iter().any(|bound| bound.sid == sms.sid)
    };
    for sms in seen.created.iter().filter(|sms| !is_excused(sms)) {
        once(
            &["sms_sent"],
            &sms.sid,
            &format!("the sending of {}", sms.sid),
        );
    }
    for row in seen
        .outbox
        .iter()
        .filter(|row| row.kind == "post" && row.state == "delivered")
    {
        once(&["posted"], &row.id, &format!("the post {}", row.id));
    }
    problems
}
