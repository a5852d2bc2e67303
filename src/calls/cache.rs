//! A cache of the calls this process leads: the TwiML it answered, who picked up, who talks.
//!
//! The database has the same and for longer; this is for when it is late, locked or gone, and for the second of two
//! requests that come at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;

/// The key that takes a call.
pub(crate) const TAKES: &str = "1";

/// How long a call is remembered: longer than Twilio lets one last, which is four hours.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(5);

/// How long somebody counts as being on the phone when nothing is heard of the end of their call.
pub(crate) const LONGEST_TALK: SignedDuration = SignedDuration::from_hours(1);

/// How late the database may write a talk that was heard of before its end: such a row is no newer talk.
const WRITTEN_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// How many new calls there are between two looks for those that can be forgotten.
const SWEEP_EVERY: usize = 64;

/// The calls, by CallSid; cloning it costs nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallCache(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: DashMap<String, Arc<Remembered>>,
    /// Who talks, in which call, since when.
    talking: DashMap<String, (String, Timestamp)>,
}

#[derive(Debug)]
struct Remembered {
    since: Timestamp,
    facts: Mutex<Facts>,
}

#[derive(Debug, Default)]
struct Facts {
    answers: HashMap<String, Arc<OnceCell<String>>>,
    legs: HashMap<String, Leg>,
    /// Who has put the phone down, and when: the database may not know it yet.
    hung_up: HashMap<String, Timestamp>,
    is_over: bool,
}

/// Somebody talks with a caller, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Talk {
    pub(crate) person: String,
    pub(crate) call: String,
    /// When that was written.
    pub(crate) since: Timestamp,
}

/// One person's telephone in a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) round: i64,
    pub(crate) person: String,
    /// What was pressed when asked, empty for nothing.
    pub(crate) keys: String,
    /// Twilio's last word on it: `busy`, `no-answer`, ….
    pub(crate) status: String,
}

impl Leg {
    /// Whether whoever picked up took the call.
    pub(crate) fn took_it(&self) -> bool {
        self.keys == TAKES
    }
}

impl CallCache {
    /// The answer to this request of a call: `decide` makes it the first time, and whoever comes meanwhile waits for that.
    pub(crate) async fn answer_once(
        &self,
        call: &str,
        request: &str,
        now: Timestamp,
        decide: impl Future<Output = String>,
    ) -> String {
        let remembered = self.remembered(call, now);
        let cell = facts(&remembered)
            .answers
            .entry(request.to_owned())
            .or_default()
            .clone();
        cell.get_or_init(|| decide).await.clone()
    }

    /// Every answer that this process gave in a call, in no order.
    pub(crate) fn answers(&self, call: &str) -> Vec<String> {
        let Some(call) = self.0.calls.get(call).map(|call| call.clone()) else {
            return Vec::new();
        };
        let facts = facts(&call);
        let given = facts.answers.values().filter_map(|answer| answer.get());
        given.cloned().collect()
    }

    /// Whether anything of this call has come to this process.
    pub(crate) fn knows(&self, call: &str) -> bool {
        self.0.calls.contains_key(call)
    }

    /// Notes what is newly known of a leg.
    pub(crate) fn note_leg(
        &self,
        call: &str,
        leg: &str,
        now: Timestamp,
        note: impl FnOnce(&mut Leg),
    ) {
        let remembered = self.remembered(call, now);
        note(facts(&remembered).legs.entry(leg.to_owned()).or_default());
    }

    /// What is known of a call's legs, by CallSid.
    pub(crate) fn legs(&self, call: &str) -> HashMap<String, Leg> {
        self.0
            .calls
            .get(call)
            .map(|call| facts(&call).legs.clone())
            .unwrap_or_default()
    }

    /// Notes that somebody talks with the caller of this call.
    pub(crate) fn talks(&self, person: &str, call: &str, now: Timestamp) {
        // The lock is released before `talking` is touched: `on_the_phone` takes the two the other way round.
        let is_over = {
            let remembered = self.remembered(call, now);
            let mut facts = facts(&remembered);
            facts.hung_up.remove(person);
            facts.is_over
        };
        if !is_over {
            let talk = (call.to_owned(), now);
            self.0.talking.insert(person.to_owned(), talk);
        }
    }

    /// Notes that somebody's telephone was put down in this call.
    pub(crate) fn has_hung_up(&self, person: &str, call: &str, now: Timestamp) {
        facts(&self.remembered(call, now))
            .hung_up
            .insert(person.to_owned(), now);
        self.0
            .talking
            .remove_if(person, |_, (talks_in, _)| talks_in == call);
    }

    /// Notes that nobody talks in this call any longer: it is over.
    pub(crate) fn is_over(&self, call: &str, now: Timestamp) {
        facts(&self.remembered(call, now)).is_over = true;
        self.nobody_talks(call, now);
    }

    /// Notes that whoever talked in this call has put the phone down.
    pub(crate) fn nobody_talks(&self, call: &str, now: Timestamp) {
        {
            let remembered = self.remembered(call, now);
            let mut facts = facts(&remembered);
            let of_legs = facts.legs.values().map(|leg| (leg.person.clone(), now));
            let of_legs: Vec<(String, Timestamp)> = of_legs.collect();
            facts.hung_up.extend(of_legs);
        }
        self.0.talking.retain(|_, (of, _)| of != call);
    }

    /// Who talks in another call, given who does as far as the database knows.
    pub(crate) fn on_the_phone(
        &self,
        in_database: Vec<Talk>,
        except: &str,
        now: Timestamp,
    ) -> std::collections::HashSet<String> {
        let here = self
            .0
            .talking
            .iter()
            .filter(|talk| now.duration_since(talk.value().1) < LONGEST_TALK)
            .map(|talk| (talk.key().clone(), talk.value().0.clone()));
        let elsewhere = in_database.into_iter().filter(|talk| {
            // What ended here is over, even if that is not written down yet. What was written later is newer.
            let known = self.0.calls.get(&talk.call);
            known.is_none_or(|call| {
                let facts = facts(&call);
                let hung_up = facts.hung_up.get(&talk.person);
                !facts.is_over
                    && hung_up.is_none_or(|at| talk.since.duration_since(*at) > WRITTEN_WITHIN)
            })
        });
        let elsewhere = elsewhere.map(|talk| (talk.person, talk.call));
        here.chain(elsewhere)
            .filter(|(_, call)| call != except)
            .map(|(person, _)| person)
            .collect()
    }

    fn remembered(&self, call: &str, now: Timestamp) -> Arc<Remembered> {
        if let Some(call) = self.0.calls.get(call) {
            return call.clone();
        }
        if self.0.calls.len() % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.0
                .calls
                .retain(|_, call| now.duration_since(call.since) < REMEMBERED);
        }
        let new = || {
            Arc::new(Remembered {
                since: now,
                facts: Mutex::default(),
            })
        };
        self.0
            .calls
            .entry(call.to_owned())
            .or_insert_with(new)
            .clone()
    }
}

fn facts(call: &Remembered) -> MutexGuard<'_, Facts> {
    call.facts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn talk(person: &str, call: &str, since: i64) -> Talk {
        Talk {
            person: person.to_owned(),
            call: call.to_owned(),
            since: at(since),
        }
    }

    #[tokio::test]
    async fn requests_that_come_at_once_get_one_answer() {
        let memory = CallCache::default();
        let decided = AtomicUsize::new(0);
        let ask = || {
            memory.answer_once("CA1", "start", at(0), async {
                tokio::task::yield_now().await;
                format!("answer {}", decided.fetch_add(1, Ordering::SeqCst))
            })
        };
        let answers = tokio::join!(ask(), ask(), ask());
        assert_eq!(decided.load(Ordering::SeqCst), 1);
        assert_eq!(answers.0, answers.2);
        assert_eq!(ask().await, "answer 0");
    }

    #[test]
    fn whoever_talks_is_on_the_phone_until_their_call_is_over() {
        let memory = CallCache::default();
        memory.talks("Sergio", "CA1", at(0));
        let seen_by = |call: &str, now| {
            let mut names: Vec<String> = memory
                .on_the_phone(vec![talk("Backup", "CA2", 0)], call, at(now))
                .into_iter()
                .collect();
            names.sort();
            names
        };
        assert_eq!(seen_by("CA3", 10), ["Backup", "Sergio"]);
        assert_eq!(seen_by("CA1", 10), ["Backup"]);
        assert_eq!(seen_by("CA3", 2 * 3_600), ["Backup"]);
        memory.is_over("CA1", at(20));
        memory.is_over("CA2", at(20));
        assert!(seen_by("CA3", 30).is_empty());
        // A key press that is told late brings nobody back to the phone.
        memory.talks("Sergio", "CA1", at(40));
        assert!(seen_by("CA3", 50).is_empty());
    }

    #[test]
    fn whoever_has_hung_up_is_not_on_the_phone_though_the_database_says_so() {
        let cache = CallCache::default();
        let is_busy = |now| {
            let late = vec![talk("Sergio", "CA1", 0)];
            !cache.on_the_phone(late, "CA2", at(now)).is_empty()
        };
        cache.talks("Sergio", "CA1", at(0));
        cache.has_hung_up("Sergio", "CA1", at(10));
        assert!(!is_busy(11));
        cache.talks("Sergio", "CA1", at(20));
        assert!(is_busy(21), "another ring of the same call was taken");
        let leg = |leg: &mut Leg| leg.person = "Sergio".to_owned();
        cache.note_leg("CA1", "CA9", at(20), leg);
        cache.nobody_talks("CA1", at(30));
        assert!(!is_busy(31));
        let late = vec![talk("Sergio", "CA1", 31)];
        let talking = cache.on_the_phone(late, "CA2", at(32));
        assert!(talking.is_empty(), "it was only written late");
        // Another replica has heard that he took the next ring.
        let newer = vec![talk("Sergio", "CA1", 40)];
        assert!(!cache.on_the_phone(newer, "CA2", at(41)).is_empty());
    }
}
