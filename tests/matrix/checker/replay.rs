//! Builds the state of every conversation from the audit rows alone, and compares it with the tables.

use std::collections::BTreeMap;

use super::seen::{Entry, Seen};

/// A conversation as the audit tells it.
#[derive(Debug, Default)]
struct Conversation {
    number: String,
    /// The thread it is in now: channel and root.
    thread: (String, String),
    roots: Vec<(String, String)>,
    /// By its id: who it is from and whether it stayed inside.
    messages: BTreeMap<String, (String, bool)>,
    /// By the id of the delivery.
    deliveries: BTreeMap<String, Delivery>,
    /// By SID: the delivery and the last status.
    sms: BTreeMap<String, (String, String)>,
}

#[derive(Debug, Default)]
struct Delivery {
    state: &'static str,
    external_id: String,
}

/// Where the audit and the tables differ.
pub(super) fn check(seen: &Seen) -> Vec<String> {
    let replayed = replay(&seen.audit);
    let mut problems = Vec::new();
    let mut differ = |what: String, audit: String, table: String| {
        if audit != table {
            problems.push(format!("{what}: the audit says {audit}, the table {table}"));
        }
    };
    let count = |what: usize| what.to_string();
    differ(
        "conversations".into(),
        count(replayed.len()),
        count(seen.conversations.len()),
    );
    for row in &seen.conversations {
        let Some(told) = replayed.get(&row.id) else {
            continue;
        };
        differ(
            format!("caller of {}", row.id),
            told.number.clone(),
            row.caller.clone(),
        );
        differ(
            format!("thread of {}", row.id),
            format!("{:?}", told.thread),
            format!("{:?}", (&row.channel, &row.thread_ts)),
        );
        let mut roots = told.roots.clone();
        roots.sort();
        let threads = seen
            .threads
            .iter()
            .filter(|thread| thread.conversation_id == row.id);
        let threads: Vec<_> = threads
            .map(|thread| (&thread.channel, &thread.ts))
            .collect();
        differ(
            format!("roots of {}", row.id),
            format!("{roots:?}"),
            format!("{threads:?}"),
        );

        let messages = seen
            .messages
            .iter()
            .filter(|message| message.conversation_id == row.id);
        let messages: BTreeMap<_, _> = messages
            .map(|message| {
                let inside = message.internal != 0;
                (&message.id, (message.external_id.clone(), inside))
            })
            .collect();
        differ(
            format!("messages of {}", row.id),
            format!("{:?}", told.messages),
            format!("{messages:?}"),
        );

        for (id, delivery) in &told.deliveries {
            let table = seen.row(id);
            differ(
                format!("delivery {id}"),
                format!("{} {}", delivery.state, delivery.external_id),
                table.map_or("nothing".into(), |row| {
                    format!("{} {}", row.state, row.external_id)
                }),
            );
        }
        let untold = seen.outbox.iter().filter(|delivery| {
            matches!(delivery.kind.as_str(), "sms" | "reply")
                && messages.contains_key(&delivery.message_id)
                && !told.deliveries.contains_key(&delivery.id)
        });
        for delivery in untold {
            differ(
                format!("delivery {}", delivery.id),
                "nothing".into(),
                delivery.state.clone(),
            );
        }
        let sms = seen
            .sms
            .iter()
            .filter(|sms| messages.contains_key(&sms.message_id));
        let sms: BTreeMap<_, _> = sms
            .map(|sms| (&sms.sid, (sms.outbox_id.clone(), sms.status.clone())))
            .collect();
        differ(
            format!("SMS of {}", row.id),
            format!("{:?}", told.sms),
            format!("{sms:?}"),
        );
    }
    problems
}

fn replay(audit: &[Entry]) -> BTreeMap<String, Conversation> {
    let mut conversations: BTreeMap<String, Conversation> = BTreeMap::new();
    for entry in audit {
        let id = entry.word("conversation");
        if id.is_empty() {
            continue;
        }
        let conversation = conversations.entry(id.to_owned()).or_default();
        conversation.number.clone_from(&entry.number);
        apply(conversation, entry);
    }
    conversations
}

fn apply(conversation: &mut Conversation, entry: &Entry) {
    // Marks and what one person alone is told are not what a conversation is made of.
    if matches!(entry.word("kind"), "mark" | "update" | "ephemeral") {
        return;
    }
    let mut all = |state: &'static str| {
        for id in entry.outbox() {
            conversation
                .deliveries
                .entry(id.to_owned())
                .or_default()
                .state = state;
        }
    };
    match entry.decision.as_str() {
        decision @ ("text_received" | "reply_received" | "reply_found_late" | "asked_writer"
        | "kept_inside") => {
            all(match decision {
                "reply_found_late" => "undecided",
                "asked_writer" => "asked",
                _ => "waiting",
            });
            let inside = decision == "kept_inside";
            let message = entry.word("message").to_owned();
            conversation
                .messages
                .insert(message, (entry.subject.clone(), inside));
        }
        "names_resolved" | "settled_absent" | "decided_send" | "operator_retry" => all("waiting"),
        "held" => all("held"),
        "unknown" => all("unknown"),
        "undecided" => all("undecided"),
        "refused" => all("refused"),
        "decided_arrived" | "delivered_at_last" => all("delivered"),
        "decided_leave" | "operator_drop" | "part_dropped" => all("dropped"),
        "posted" => {
            all("delivered");
            for id in entry.outbox() {
                let delivery = conversation.deliveries.entry(id.to_owned()).or_default();
                delivery.external_id = entry.word("ts").to_owned();
            }
            let thread = (
                entry.word("channel").to_owned(),
                entry.word("root").to_owned(),
            );
            if !thread.1.is_empty() {
                if !conversation.roots.contains(&thread) {
                    conversation.roots.push(thread.clone());
                }
                conversation.thread = thread;
            }
        }
        "copy_kept" => {
            let root = entry.word("root").to_owned();
            conversation
                .roots
                .push((entry.word("channel").to_owned(), root));
        }
        "sms_sent" => {
            all("delivered");
            for id in entry.outbox() {
                let delivery = conversation.deliveries.entry(id.to_owned()).or_default();
                delivery.external_id.clone_from(&entry.subject);
                let sms = (id.to_owned(), "queued".to_owned());
                conversation.sms.insert(entry.subject.clone(), sms);
            }
        }
        "sms_status" => {
            if let Some(sms) = conversation.sms.get_mut(&entry.subject) {
                sms.1.clone_from(&entry.reason);
            }
        }
        _ => {}
    }
}
