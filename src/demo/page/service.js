// What the relay is doing: its audit as it happens, what waits in its outbox, whom a call would ring, and the trouble one
// can make for it.
import { button, el, fill, send } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

const $ = (id) => document.getElementById(id);

// The audit's fixed words, as one would say them.
const DECISIONS = {
  text_received: "A text came in and was kept",
  posted: "Shown in Slack",
  reply_received: "A reply was taken",
  reply_found_late: "A reply was found late",
  kept_inside: "A note was kept inside",
  asked_writer: "The writer was asked first",
  sms_sent: "Texted to the caller",
  sms_status: "Heard what became of the text",
  names_resolved: "Names in a reply were looked up",
  refused: "Not sent",
  held: "Held back",
  unknown: "No answer came: finding out whether it arrived",
  settled_absent: "Proved that it was never sent",
  settled_unread: "Could not find out whether it was sent",
  undecided: "Somebody has to decide",
  duplicate_detected: "The same text was found twice",
  availability_changed: "Somebody's availability changed",
  ring: "Decided whom the call rings",
  nobody_left: "Nobody is left to ring",
  call_answered: "Somebody took the call",
  phone_picked_up: "A phone was picked up",
  key_pressed: "A key was pressed",
  caller_hung_up: "The caller hung up",
  message_left: "The caller left a message",
  message_transcribed: "The message was put in writing",
  caller_texted: "The caller was texted about the missed call",
  caller_not_texted: "The caller was not texted about the missed call",
  call_ended_unheard: "Found in Twilio's log how a call ended",
  away_text_sent: "The caller was told that nobody is there",
};

const KINDS = {
  post: "a post for Slack", announce: "an announcement in Slack", update: "new words for a post in Slack",
  ephemeral: "a private note in Slack", mark: "a mark on a reply", reply: "a reply", sms: "a text to a caller",
  root: "the head of a thread in Slack", home: "the app's home", answer: "an answer in Slack", respond: "an answer in Slack",
  call: "a call's message in Slack", recording: "a recording for Slack", picture: "a picture for Slack",
};

const STATES = {
  waiting: "waits", sending: "is being sent", unknown: "no answer came: finding out whether it arrived",
  held: "held until Slack or Twilio takes it again", refused: "refused", undecided: "somebody has to decide",
};

const words = (table, word) => table[word] ?? word.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());

const clock = (millis) => new Date(millis).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function audit(service) {
  fill($("audit"), service.decisions.length
    ? service.decisions.map((one) =>
      el("li", { key: `a${one.seq}` },
        el("time", { text: clock(one.at) }),
        el("div", {},
          el("span", { text: words(DECISIONS, one.decision) }), one.number ? el("span", { class: "number", text: ` · ${one.number}` }) : "",
          one.reason ? el("div", { class: "note", text: one.reason }) : "")))
    : [el("li", { class: "empty", key: "empty", text: "Nothing yet. Every decision is kept here, with its reason." })]);
}

function outbox(service) {
  fill($("outbox"), service.deliveries.length
    ? service.deliveries.map((one) =>
      el("li", { key: one.id, class: one.state },
        el("span", {}, el("strong", { text: words(KINDS, one.kind) }), ` ${STATES[one.state] ?? one.state}`),
        el("div", { class: "note", text: [one.attempts ? `tried ${one.attempts}×` : "", one.why].filter(Boolean).join(" · ") })))
    : [el("li", { class: "empty", key: "empty", text: "Nothing waits." })]);
}

// "3 texts came in, 3 shown in Slack": the pair is right when both numbers are the same.
function pair(key, came, what, arrived, how) {
  return el("div", { key, class: came === arrived ? "count" : "count behind" },
    el("b", { text: came }), ` ${what}, `, el("b", { text: arrived }), ` ${how}`);
}

function tally(state) {
  const now = state.tally;
  if (!now) return;
  fill($("tally"), [
    pair("in", now.texts, now.texts === 1 ? "text came in" : "texts came in", now.shown, "shown in Slack"),
    pair("out", now.replies, now.replies === 1 ? "reply written" : "replies written", now.texted, "texted"),
    el("div", { key: "way", class: now.on_the_way ? "count behind" : "count" }, el("b", { text: now.on_the_way }), " on the way"),
    el("div", { key: "lost", class: now.lost ? "count bad" : "count" }, el("b", { text: now.lost }), " lost"),
    el("div", { key: "twice", class: now.twice ? "count bad" : "count" }, el("b", { text: now.twice }), " twice"),
  ]);
}

const SWITCHES = [
  ["slack_down", "Slack is down", "The relay cannot reach Slack's API."],
  ["twilio_down", "Twilio is down", "The relay cannot reach Twilio's API; texts still come in."],
  ["answers_lost", "Twilio's answers get lost", "Twilio takes a text, and the relay never hears of it."],
];

function trouble(state) {
  const rows = SWITCHES.map(([what, title, more]) => {
    const on = Boolean(state.trouble[what]);
    const node = button("", () => send("trouble", { what, on: !on }), "switch", { role: "switch", "aria-checked": String(on), id: `trouble-${what}` });
    node.append(el("span", { class: "knob", "aria-hidden": "true" }), el("span", {}, el("strong", { text: title }), el("span", { class: "note", text: more })));
    return el("li", { key: what }, node);
  });
  const is = state.relay?.is;
  if (is) {
    const gone = is === "killed" || is === "died";
    const text = gone ? "Start the relay again" : "Kill the relay";
    const note = gone ? "Then see that nothing was lost." : "SIGKILL, in the middle of whatever it does.";
    const node = button("", () => send("relay", { act: gone ? "start" : "kill" }), gone ? "primary" : "danger", { id: "relay-kill", disabled: is === "starting" });
    node.append(el("strong", { text }));
    rows.push(el("li", { key: "relay", class: "kill" }, node, el("span", { class: "note", text: note })));
  }
  fill($("trouble"), rows);
}

const STANDING = {
  starting: "The relay is starting …",
  running: "The relay is running",
  killed: "The relay was killed",
  died: "The relay has ended by itself",
};

function standing(state) {
  const is = state.relay?.is ?? "running";
  const why = state.relay?.why ? `: ${state.relay.why}` : "";
  $("standing").className = is;
  const text = `${STANDING[is]}${why}`;
  if ($("standing").textContent !== text) $("standing").textContent = text;
  $("gone").hidden = is !== "killed" && is !== "died";
  $("gone-why").textContent = `${text}. Texts and replies written now are caught up with when it is back; calls ring the backup meanwhile.`;
}

export function show(state) {
  standing(state);
  trouble(state);
  tally(state);
  if (state.service) {
    audit(state.service);
    outbox(state.service);
    fill($("would-ring"), [mrkdwn(state.service.who, state)]);
  }
  $("objections").hidden = state.violations.length === 0;
  fill($("objections").querySelector("ul"), state.violations.map((text) => el("li", { text })));
}

export function start() {
  $("gone-start").addEventListener("click", () => {
    send("relay", { act: "start" });
    // The button goes; what one may want next is its like.
    $("relay-kill").focus({ preventScroll: true });
  });
}
