//! `/qdn who`: whom a call would ring now, and why.

use crate::app::App;
use crate::bridge::calls::ring;
use crate::bridge::wording;
use crate::config::{Config, Line};
use crate::routing::{self, Considered, Next, Situation};

pub(super) async fn answer(app: &App) -> String {
    let situation = ring::situation(app, "").await;
    let of_line = |line: &Line| {
        let name = (app.config.lines.len() > 1).then_some(line.name.as_str());
        on_line(&app.config, line, name, situation.clone())
    };
    let lines: Vec<String> = app.config.lines.iter().map(of_line).collect();
    lines.join("\n\n")
}

/// Whom a call to one line would ring now; begins with the line's name if `name` is given.
pub(crate) fn on_line(
    config: &Config,
    line: &Line,
    name: Option<&str>,
    situation: Situation,
) -> String {
    let (rounds, considered) = foresee(config, line, situation);
    wording::reasons::who(name, &rounds, &considered)
}

/// Who would ring, round by round, if nobody answered; and everybody who was thought of.
fn foresee(
    config: &Config,
    line: &Line,
    mut situation: Situation,
) -> (Vec<(Vec<String>, u32)>, Vec<Considered>) {
    let mut rounds = Vec::new();
    let mut considered: Vec<Considered> = Vec::new();
    let mut from = 0;
    loop {
        let decision = routing::decide(line, &config.people, &situation, from);
        for one in decision.considered {
            considered.retain(|known| (known.step, &known.name) != (one.step, &one.name));
            considered.push(one);
        }
        let Next::Ring {
            then,
            people,
            seconds,
            ..
        } = decision.next
        else {
            return (rounds, considered);
        };
        situation
            .rung
            .extend(people.iter().map(|(_, phone)| phone.clone()));
        rounds.push((people.into_iter().map(|(name, _)| name).collect(), seconds));
        from = then;
    }
}
