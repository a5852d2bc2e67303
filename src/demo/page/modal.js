// Slack's modals: drawn once for each state of the view, so that nothing typed is lost when something else changes.
import { button, el, send } from "./dom.js";
import { blocks } from "./blocks.js";
import { plain } from "./mrkdwn.js";

const dialog = document.getElementById("modal");
let drawn = null;
let me = null;

const INPUTS = { number_input: "number", datepicker: "date", timepicker: "time", email_text_input: "email", url_text_input: "url" };

function field(block, state) {
  const one = block.element;
  const name = block.block_id;
  const need = !block.optional;
  const options = one.type === "users_select"
    ? state.people.map((person) => ({ value: person.id, text: { text: person.name } }))
    : one.options;
  if (options) {
    const first = one.initial_option?.value ?? one.initial_user ?? "";
    return el("select", { name, required: need },
      el("option", { value: "", text: one.placeholder ? plain(one.placeholder, state) : "Choose…" }),
      ...options.map((option) =>
        el("option", { value: option.value, text: plain(option.text, state), selected: option.value === first })));
  }
  const more = { name, required: need, placeholder: one.placeholder?.text, maxlength: one.max_length };
  const input = one.multiline
    ? el("textarea", { rows: "4", ...more })
    : el("input", { type: INPUTS[one.type] ?? "text", ...more });
  input.value = one.initial_value ?? one.initial_date ?? one.initial_time ?? "";
  return input;
}

function input(block, state) {
  const hint = block.hint ? el("span", { class: "note", text: plain(block.hint, state) }) : "";
  return el("label", {},
    el("span", { text: plain(block.label, state) + (block.optional ? " (optional)" : "") }),
    field(block, state), hint, el("span", { class: "problem", role: "alert", "data-of": block.block_id }));
}

function draw(view, state) {
  const press = (element, block_id, value) =>
    send("press-view", { user: me, view_id: view.id, block_id, action_id: element.action_id, value });
  const form = el("form", { method: "dialog", novalidate: true },
    el("h3", { id: "modal-title", text: view.title.text }),
    ...view.blocks.map((block) => (block.type === "input" ? input(block, state) : blocks([block], state, press))),
    el("p", { class: "problem", role: "alert", "data-of": "" }),
    el("div", { class: "row" },
      button(view.close?.text ?? "Cancel", () => send("dismiss", { user: me })),
      view.submit ? el("button", { class: "primary", text: view.submit.text }) : ""));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const values = [...new FormData(form)].filter(([, value]) => value !== "");
    const answer = await send("submit", { user: me, values });
    const failed = !answer || answer.status !== 200;
    const errors = failed ? { "": "We had some trouble connecting. Try again?" } : answer.json?.errors ?? {};
    form.querySelectorAll(".problem").forEach((place) => { place.textContent = errors[place.dataset.of] ?? ""; });
  };
  dialog.replaceChildren(form);
}

export function show(state, user) {
  me = user;
  const view = state.modals.filter((one) => one.user === me).at(-1)?.view;
  if (!view) {
    drawn = null;
    if (dialog.open) dialog.close();
    return;
  }
  const now = `${view.id} ${view.hash}`;
  if (now !== drawn) draw(view, state);
  drawn = now;
  if (!dialog.open) dialog.showModal();
}

dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  send("dismiss", { user: me });
});
