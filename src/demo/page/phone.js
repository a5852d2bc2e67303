// The caller's phone: who it belongs to, the texts and calls on it, and the call that is going on.
import { avatar, button, el, fill, fillActing, fillLog, isAtEnd, national, plural, send, showChosen, takeFile, time } from "./dom.js";

const $ = (id) => document.getElementById(id);
let caller = null; // number
let state = null;
const seen = new Map(); // how many texts of each caller have been looked at

export const current = () => caller;

export function show(now) {
  state = now;
  caller ??= state.callers[0].number;
  const atEnd = isAtEnd($("texts"));
  people();
  call();
  texts(atEnd);
}

export function pick(number) {
  caller = number;
  if (state) show(state);
}

function people() {
  fill($("callers"), [
    ...state.callers.map((one) => {
      const is = one.number === caller;
      const received = one.texts.filter((text) => !text.inbound).length;
      if (is) seen.set(one.number, received);
      const unread = received - (seen.get(one.number) ?? 0);
      const node = button("", () => pick(one.number), "person", { key: one.number, "aria-pressed": String(is) });
      node.append(avatar(one.name), el("span", { text: one.name }),
        unread ? el("span", { class: "unread", text: unread, "aria-label": `, ${plural(unread, "new text")}` }) : "");
      return node;
    }),
    state.callers.length < 8
      ? button("+", add, "add", { key: "add", title: "One more caller", "aria-label": "One more caller" })
      : null,
  ]);
  $("phone-owner").textContent = state.callers.find((one) => one.number === caller).name;
  $("phone-number").textContent = national(caller);
  $("desk-number").textContent = national(state.number);
}

async function add() {
  const added = await send("caller");
  if (added) caller = added.number;
}

// Twilio's words, as a phone would put them.
const STATUS = { received: "sent", queued: "…", sending: "…", sent: "…", delivered: "", undelivered: "not delivered", failed: "not delivered" };

function bubble(text) {
  const item = el("li", { class: text.inbound ? "out" : "in", key: text.sid });
  item.append(el("span", { class: "hidden", text: text.inbound ? "You: " : "The desk: " }));
  if (text.body) item.append(el("span", { class: "words", text: text.body }));
  text.pictures.forEach((src) => item.append(el("img", { src, alt: "picture" })));
  const word = STATUS[text.status] ?? text.status;
  item.append(el("small", { text: word ? `${time(text.at)} · ${word}` : time(text.at) }));
  return item;
}

function chip(one) {
  return el("li", { class: "chip", key: one.sid, text: `☎ ${time(one.at)} · ${one.outcome}` });
}

function texts(atEnd) {
  const own = state.callers.find((one) => one.number === caller);
  const over = state.calls.filter((one) => one.from === caller && one.is_over);
  const all = [
    ...own.texts.map((text) => [text.at, bubble(text)]),
    ...over.map((one) => [one.at, chip(one)]),
  ].sort((a, b) => a[0] - b[0]);
  const items = all.map(([, item]) => item);
  if (!items.length) items.push(el("li", { class: "empty", key: "empty", text: `${own.name} has not written yet. Text the desk, or call it.` }));
  fillLog($("texts"), items, atEnd);
}

// How long words take to say; of a shorter message there is nothing to hear.
const speaking = (words) => Math.max(2500, words.split(/\s+/).length * 350);

function leave(sid) {
  return async (event) => {
    event.preventDefault();
    const box = $("words");
    const words = box.value.trim() || "Please call me back.";
    box.value = "";
    box.disabled = true;
    await send("call-act", { sid, number: null, act: "speak", words });
    setTimeout(() => send("call-act", { sid, number: null, act: "hang_up" }), speaking(words));
  };
}

// The call of the caller shown, as long as it goes on.
function call() {
  const going = state.calls.find((one) => one.from === caller && !one.is_over);
  $("call").disabled = Boolean(going);
  if (!going) {
    const had = $("calling").contains(document.activeElement);
    $("calling").hidden = true;
    fill($("calling"), []);
    if (had) $("call").focus();
    return;
  }
  $("calling").hidden = false;
  const hangUp = button("Hang up", () => send("call-act", { sid: going.sid, number: null, act: "hang_up" }), "danger", { key: "hang-up" });
  const parts = [
    el("p", { class: "going", key: "going", role: "status" }, el("span", { class: "pulse", "aria-hidden": "true" }), going.outcome),
    going.hears ? el("p", { class: "hears", key: "hears", text: `“${going.hears}”` }) : null,
  ];
  if (going.may_speak) {
    parts.push(el("form", { class: "say", key: `say-${going.sid}`, onsubmit: leave(going.sid) },
      el("label", { for: "words", text: "Beep! Say something:" }),
      el("textarea", { id: "words", rows: "2", placeholder: "Please call me back." }),
      el("div", { class: "row" }, el("button", { class: "primary", text: "Leave it and hang up" }))));
  }
  parts.push(el("div", { class: "row", key: "end" }, hangUp));
  fillActing($("calling"), parts);
}

export function start() {
  $("picture").addEventListener("change", () => showChosen($("picture"), $("picture-name")));
  $("text-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const box = $("text-body");
    const body = box.value;
    box.value = "";
    const picture = await takeFile($("picture"));
    if (body.trim() || picture) send("text", { from: caller, body, picture });
  });
  $("text-body").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      $("text-form").requestSubmit();
    }
  });
  $("call").addEventListener("click", () => send("call", { from: caller }));
}
