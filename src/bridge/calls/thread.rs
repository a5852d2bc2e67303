//! What a caller's thread shows of a call: one message, edited as the call goes on, and notices that people must hear.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::bridge::desk::{status, thread_header};
use crate::bridge::wording;
use crate::calls::event::FollowUp;
use crate::config::Config;
use crate::delivery::{self, Content, Delivery};
use crate::phone::Address;
use crate::store::calls::{self, Call};
use crate::store::conversations::Conversation;
use crate::store::ring_outcomes::RingOutcomeRow;
use crate::store::{Tx, outbox};
use crate::vocabulary::{CallState, Kind, MessageId, OutboxId};

/// A caller who hangs up before this may have misdialed: the thread says so, the channel does not.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(8);

/// Everything that is shown of a call.
pub(crate) struct Scene<'a> {
    pub(crate) call: Call,
    pub(crate) turns: Vec<RingOutcomeRow>,
    pub(crate) conversation: Conversation,
    pub(crate) config: &'a Config,
}

impl Scene<'_> {
    /// Whether the caller hung up at `over`, before the first people could pick up.
    pub(crate) fn is_hung_up_at_once(&self, over: Timestamp) -> bool {
        self.call.state() == CallState::HungUp
            && !self.turns.is_empty()
            && self.turns.iter().all(|turn| turn.round <= 1)
            && over.duration_since(self.call.started()) < AT_ONCE
    }

    pub(crate) fn caller(&self) -> Address {
        Address::new(&self.call.caller)
    }

    /// The line's name where there are several to tell apart.
    fn line_name(&self) -> Option<&str> {
        let line = self.config.line_of(&self.call.line)?;
        (self.config.lines.len() > 1).then_some(line.name.as_str())
    }

    /// The message as a reply in a thread.
    pub(crate) fn as_reply(&self) -> Content {
        wording::calls::in_thread(&story(&self.call, &self.turns))
    }

    /// The message as a thread's root, below its head.
    pub(crate) fn as_root(&self) -> Content {
        self.root_saying(&story(&self.call, &self.turns))
    }

    /// A thread's root that says this of the call.
    pub(crate) fn root_saying(&self, story: &str) -> Content {
        wording::calls::root(&self.caller(), story)
    }
}

/// The call in one sentence.
pub(crate) fn story(call: &Call, turns: &[RingOutcomeRow]) -> String {
    wording::calls::story(call, turns)
}

/// Queues the call's message, or an update of it if its text has changed.
pub(crate) async fn show(
    tx: &mut Tx,
    scene: &mut Scene<'_>,
    before: &str,
    begins_thread: bool,
) -> anyhow::Result<()> {
    if scene.call.post_id.is_empty() {
        let post = Delivery::Post {
            reply: scene.as_reply(),
            root: Some(scene.as_root()),
            new_thread: begins_thread,
            broadcast: false,
        };
        scene.call.post_id = enqueue(tx, scene, &post).await?;
        return calls::set_post(tx, &scene.call.sid, &scene.call.post_id).await;
    }
    let call = &scene.call;
    // Updates are rendered late, when they are sent: one that waits in the queue is enough.
    if story(call, &scene.turns) == before || outbox::waits(tx, &about(call), Kind::Call).await? {
        return Ok(());
    }
    let update = Delivery::Call {
        call: call.sid.clone(),
    };
    enqueue(tx, scene, &update).await?;
    Ok(())
}

/// Whether the call's message is the header message of its thread, or will be: then it is shown in the channel itself.
async fn is_root(tx: &mut Tx, scene: &Scene<'_>) -> anyhow::Result<bool> {
    let current = scene.conversation.thread_ts.as_str();
    let Some(row) = outbox::by_id(&mut *tx, &scene.call.post_id).await? else {
        return Ok(false);
    };
    let begins_thread = matches!(
        row.delivery(),
        Ok(Delivery::Post {
            new_thread: true,
            ..
        })
    );
    Ok(begins_thread || current.is_empty() || row.external_id == current)
}

/// What the deliveries of a call are about.
fn about(call: &Call) -> MessageId {
    MessageId::new(call.sid.as_str())
}

async fn enqueue(tx: &mut Tx, scene: &Scene<'_>, delivery: &Delivery) -> anyhow::Result<OutboxId> {
    let conversation = &scene.conversation;
    let lane = delivery::thread_lane(&conversation.line, &conversation.id);
    delivery::enqueue(
        tx,
        &lane,
        Some(&conversation.id),
        Some(&about(&scene.call)),
        delivery,
    )
    .await
}

/// Queues the notices that follow from a change, behind the call's own message.
pub(crate) async fn follow_up(
    tx: &mut Tx,
    scene: &Scene<'_>,
    then: FollowUp,
) -> anyhow::Result<()> {
    match then {
        FollowUp::Missed { hung_up } => {
            let name = thread_header::name(&mut *tx, scene.config, &scene.caller()).await?;
            let notice = Delivery::Post {
                reply: wording::calls::missed(
                    &scene.caller(),
                    name.as_deref(),
                    &scene.conversation.place,
                    scene.line_name(),
                    hung_up,
                ),
                root: None,
                new_thread: false,
                broadcast: !is_root(tx, scene).await?,
            };
            status::call_missed(tx, &scene.conversation).await?;
            enqueue(tx, scene, &notice).await?;
        }
        FollowUp::Recording { sid } => {
            status::call_missed(tx, &scene.conversation).await?;
            let conversation = &scene.conversation;
            let lane = delivery::recording_lane(&conversation.line, &sid);
            let upload = recording(scene, sid);
            delivery::enqueue(
                tx,
                &lane,
                Some(&conversation.id),
                Some(&about(&scene.call)),
                &upload,
            )
            .await?;
        }
        FollowUp::Transcription { words } => {
            let post = Delivery::Post {
                reply: wording::calls::transcription(&words),
                root: None,
                new_thread: false,
                broadcast: false,
            };
            enqueue(tx, scene, &post).await?;
        }
    }
    Ok(())
}

fn recording(scene: &Scene<'_>, sid: String) -> Delivery {
    let (caller, zone) = (scene.caller(), &scene.config.desk.timezone);
    let time = |format: &str| time(&scene.call, zone, format);
    Delivery::Recording {
        file: wording::calls::recording_file(&caller, &time("%Y-%m-%d %H.%M.%S"), &sid),
        title: wording::calls::recording_title(&caller, &time("%Y-%m-%d %H:%M")),
        recording: sid,
    }
}

fn time(call: &Call, zone: &TimeZone, format: &str) -> String {
    call.started()
        .to_zoned(zone.clone())
        .strftime(format)
        .to_string()
}
