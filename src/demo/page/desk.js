// The telephones of the desk's people: they ring here, and whoever sits before the page picks them up.
import { avatar, button, el, fill, fillActing, national, send } from "./dom.js";

const $ = (id) => document.getElementById(id);

const WORDS = {
  ringing: (who) => `${who} is calling`,
  answered: (who) => `picked up, ${who} waits`,
  talking: (who) => `talking to ${who}`,
};

// The call that this phone has to do with, if there is one.
function callOf(state, number) {
  for (const call of state.calls.filter((one) => !one.is_over)) {
    const phone = call.phones.find((one) => one.number === number);
    if (phone.is !== "idle") return { call, phone };
  }
  return null;
}

function caller(state, call) {
  return state.callers.find((one) => one.number === call.from)?.name ?? national(call.from);
}

// What can be done now is what buttons offer.
function offers(call, phone) {
  const does = (act, more = {}) => () => send("call-act", { sid: call.sid, number: phone.number, act, ...more });
  switch (phone.is) {
    case "ringing": return [
      button("Pick up", does("pick_up"), "primary", { key: "up" }),
      button("Decline", does("decline"), "danger", { key: "no" }),
      button("Let the mailbox take it", does("mailbox"), "", { key: "box" }),
    ];
    case "answered": return [
      button("Press 1", does("press", { keys: "1" }), "primary", { key: "1" }),
      button("Hang up", does("hang_up"), "danger", { key: "end" }),
    ];
    default: return [button("Hang up", does("hang_up"), "danger", { key: "end" })];
  }
}

function show(state, one, card) {
  const found = callOf(state, one.number);
  const is = found?.phone.is ?? "idle";
  card.className = `telephone ${is}`;
  const who = found ? WORDS[is](caller(state, found.call)) : "quiet";
  fillActing(card, [
    el("div", { class: "row", key: "who" }, avatar(one.name),
      el("div", {}, el("h3", { text: one.name }), el("p", { class: "note", role: "status", text: who }))),
    is === "answered" && found.phone.hears ? el("p", { class: "hears", key: "hears", text: `“${found.phone.hears}”` }) : null,
    found ? el("div", { class: "row offers", key: "offers" }, ...offers(found.call, found.phone)) : null,
  ]);
}

export function showAll(state) {
  const list = $("telephones");
  if (list.children.length !== state.phones.length) {
    fill(list, state.phones.map((one) => el("li", { tabindex: "-1", key: one.number, "data-name": one.name })));
  }
  state.phones.forEach((one, index) => show(state, one, list.children[index]));
  const line = state.calls.filter((one) => !one.is_over).at(-1) ?? state.calls.at(-1);
  $("line").hidden = !line;
  if (line) {
    $("line-title").textContent = `What happened on ${caller(state, line)}'s call`;
    fill($("line-events"), line.lines.map((event, index) =>
      el("li", { key: `${line.sid}-${index}` }, el("time", { text: `${event.at} s` }), ` ${event.text}`)));
  }
}
