//! What people do with modals: fill in, submit, close.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::interact::Answer;
use crate::slack::SlackStandIn;
use crate::slack::world::World;

impl SlackStandIn {
    /// Fills in the topmost modal and submits it. `values` are pairs of `block_id` or `action_id`, and value.
    pub async fn submit_view(&self, user: &str, values: &[(&str, &str)]) -> Answer {
        let shown = self.read(|world| world.modal(user).cloned());
        let payload = self.inner.change(|world| match &shown {
            Some(view) => Some(submission(world, user, &view.view, values)),
            None => {
                world.violation(format!("{user} has no form to submit"));
                None
            }
        });
        let answer = self.interact("view_submission", payload).await;
        if let Some(view) = shown {
            self.inner
                .change(|world| after_submission(world, &view.id, &answer));
        }
        answer
    }

    /// Closes the topmost modal without submitting it. The app is told if it asked for that.
    pub async fn close_view(&self, user: &str) {
        let payload = self.inner.change(|world| {
            let open = world.modals.iter().rposition(|view| view.user == user)?;
            let view = world.modals.remove(open).view;
            let wants_to_know = view["notify_on_close"] == true;
            wants_to_know.then(|| {
                let mut payload = world.payload("view_closed", user);
                payload["view"] = view;
                payload["is_cleared"] = json!(false);
                payload
            })
        });
        if payload.is_some() {
            self.interact("view_closed", payload).await;
        }
    }

    /// Waits until this person sees a modal; `None` if `timeout` passes first.
    pub async fn wait_for_modal(&self, user: &str, timeout: Duration) -> Option<Value> {
        self.wait_for(timeout, |world| {
            world.modal(user).map(|view| view.view.clone())
        })
        .await
    }
}

fn submission(world: &mut World, user: &str, view: &Value, values: &[(&str, &str)]) -> Value {
    let mut state = Map::new();
    let inputs = view["blocks"].as_array().into_iter().flatten();
    for block in inputs.filter(|block| block["type"] == "input") {
        let (block_id, element) = (&block["block_id"], &block["element"]);
        let given = values
            .iter()
            .find(|(key, _)| block_id == key || element["action_id"] == *key)
            .map(|(_, value)| *value)
            .or(element["initial_value"].as_str());
        let value = match element["type"].as_str() {
            Some("plain_text_input" | "number_input") => {
                json!({"type": element["type"], "value": given})
            }
            Some("users_select") => json!({"type": "users_select", "selected_user": given}),
            _ => {
                let options = element["options"].as_array().into_iter().flatten();
                let mut chosen =
                    options.filter(|option| Some(option["value"].as_str().unwrap_or("")) == given);
                json!({"type": element["type"], "selected_option": chosen.next()})
            }
        };
        let block_id = block_id.as_str().unwrap_or_default().to_owned();
        let action_id = element["action_id"].as_str().unwrap_or_default();
        state.insert(block_id, json!({action_id: value}));
    }
    let mut payload = world.payload("view_submission", user);
    payload["view"] = view.clone();
    payload["view"]["state"] = json!({"values": state});
    payload["response_urls"] = json!([]);
    payload
}

/// Closes the modal, or does what the answer's `response_action` says.
fn after_submission(world: &mut World, view_id: &str, answer: &Answer) {
    if answer.status != 200 {
        return;
    }
    let json = answer.json.clone().unwrap_or_default();
    let user = world
        .modals
        .iter()
        .find(|view| view.id == view_id)
        .map(|view| view.user.clone());
    match json["response_action"].as_str() {
        Some("errors") => {
            if !json["errors"].is_object() {
                world.violation("view_submission: `errors` is not an object");
            }
        }
        Some("update") => {
            let view = world.complete_view(view_id, json["view"].clone());
            if let Some(shown) = world.modals.iter_mut().find(|view| view.id == view_id) {
                shown.view = view;
            }
        }
        Some("push") => {
            if let Some(user) = user {
                world.show_modal(&user, json["view"].clone());
            }
        }
        Some("clear") => world
            .modals
            .retain(|view| Some(&view.user) != user.as_ref()),
        Some(other) => world.violation(format!(
            "view_submission: unknown response_action `{other}`"
        )),
        None => {
            let is_empty = answer.text.is_empty()
                && answer.json.as_ref().is_none_or(|json| *json == json!({}));
            if !is_empty {
                world.violation(
                    "view_submission: the answer is neither empty nor a response_action",
                );
            }
            world.modals.retain(|view| view.id != view_id);
        }
    }
}
