//! `/qdn who`: whom a call would ring now, and why.

use crate::app::App;
use crate::bridge::inbound_call;
use crate::bridge::wording;
use crate::config::Line;
use crate::routing::{self, Considered, Next, Situation};

pub(super) async fn answer(app: &App) -> String {
    let situation = inbound_call::situation(app, "").await;
    let of_line = |line: &Line| {
        let (rounds, considered) = foresee(app, line, situation.clone());
        let name = (app.config.lines.len() > 1).then_some(line.name.as_str());
        wording::reasons::who(name, &rounds, &considered)
    };
    let lines: Vec<String> = app.config.lines.iter().map(of_line).collect();
    lines.join("\n\n")
}

/// Who would ring, round by round, if nobody answered; and everybody who was thought of.
fn foresee(
    app: &App,
    line: &Line,
    mut situation: Situation,
) -> (Vec<(Vec<String>, u32)>, Vec<Considered>) {
    let mut rounds = Vec::new();
    let mut considered: Vec<Considered> = Vec::new();
    let mut from = 0;
    loop {
        let decision = routing::decide(line, &app.config.people, &situation, from);
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
