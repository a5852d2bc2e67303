// Three steps for somebody who has never seen this. Each is done when it has really happened, however it was done.
import { button, el, fill } from "./dom.js";
import * as phone from "./phone.js";

const $ = (id) => document.getElementById(id);
const KEY = "qdn-relay demo: guide closed";

const remembered = () => { try { return sessionStorage.getItem(KEY) === "yes"; } catch { return false; } };
const remember = (closed) => { try { sessionStorage.setItem(KEY, closed ? "yes" : "no"); } catch { /* then it comes again */ } };

let closed = remembered();
let state = null;

function write(id, text) {
  const box = $(id);
  if (!box.value) box.value = text;
  box.focus();
}

const first = () => state.callers[0];

const STEPS = [
  {
    title: () => `Text the desk as ${first().name}`,
    how: "Write something on the phone and send it. It becomes a thread in the channel.",
    act: "Fill in a text",
    go: () => { phone.pick(first().number); write("text-body", "Hi! Is the sunset cruise on tonight? We are four."); },
    done: () => state.messages.some((one) => one.bot && !one.thread_ts) && state.callers.some((one) => one.texts.some((text) => text.inbound)),
  },
  {
    title: () => `Answer as ${state.people[0].name}`,
    how: "Reply in the thread. It is texted back, and the mark under it says that it arrived.",
    act: "Fill in a reply",
    go: () => {
      if ($("thread-pane").hidden) document.querySelector("#messages .open-thread")?.click();
      write("reply-body", "It is! Boarding at *5 pm* at pier 3 :sailboat:");
    },
    done: () => state.callers.some((one) => one.texts.some((text) => !text.inbound && text.status === "delivered")),
  },
  {
    title: () => `Call the desk as ${first().name}`,
    how: "Sergio's phone rings. Pick it up and press 1, or decline and see where the call goes.",
    act: "Call now",
    go: () => { phone.pick(first().number); $("call").click(); },
    done: () => state.calls.some((one) => one.is_over),
  },
];

export function show(now) {
  state = now;
  const at = STEPS.findIndex((step) => !step.done());
  $("guide").hidden = closed;
  $("guide-open").hidden = !closed;
  $("guide-title").textContent = at < 0 ? "That is all there is to it" : "New here? Three steps";
  fill($("steps"), STEPS.map((step, index) => {
    const done = step.done();
    const is = index === at;
    return el("li", { key: String(index), class: done ? "done" : is ? "now" : "later", "aria-current": is ? "step" : null },
      el("span", { class: "number", "aria-hidden": "true", text: done ? "✓" : index + 1 }),
      el("div", {},
        el("strong", { text: step.title() }), done ? el("span", { class: "hidden", text: " (done)" }) : "",
        el("p", { class: "note", text: step.how }),
        is ? button(step.act, step.go, "primary", { key: "go" }) : ""));
  }));
  $("guide-end").hidden = at >= 0;
}

function turn(to) {
  closed = to;
  remember(closed);
  if (state) show(state);
  (closed ? $("guide-open") : $("guide-close")).focus();
}

export function start() {
  $("guide-close").addEventListener("click", () => turn(true));
  $("guide-open").addEventListener("click", () => turn(false));
}
