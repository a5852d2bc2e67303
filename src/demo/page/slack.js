// Slack: the channel, the open thread, the app's home tab, and who one is there.
import { avatar, el, fill, fillLog, send, showChosen, takeFile } from "./dom.js";
import { blocks } from "./blocks.js";
import { message, notice } from "./message.js";
import * as modal from "./modal.js";

const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 60rem)"); // as in base.css
let state = null;
let me = null; // user id
let thread = null; // ts of the open thread's root
let chose = false; // whether somebody has opened or closed a thread
let place = "channel"; // or "home"
const notices = []; // what Slack itself said, each to one person

const answers = (path, body, what) => send(path, body).then((answer) => {
  if (answer && answer.status !== 200 && answer.status !== undefined) tell(`${what} failed: the app did not answer. Is the relay running?`);
  return answer;
});

function tell(text, thread_ts = null) {
  notices.push({ key: `notice-${notices.length}`, ts: String(Date.now() / 1000), user: me, text, thread_ts });
  show(state);
}

const act = {
  press: (one, element, block_id, value) =>
    answers("press", { user: me, ts: one.ts, block_id, action_id: element.action_id, value }, "The button"),
  open: (root) => {
    chose = true;
    thread = root;
    show(state);
    $("reply-body").focus();
    if (narrow.matches) $("thread-pane").scrollIntoView({ block: "nearest" });
  },
};

const byTime = (a, b) => Number(a.ts) - Number(b.ts);
const isReply = (one) => one.thread_ts && one.thread_ts !== one.ts;

// What only I see, here or in the thread with this root.
function privately(root) {
  return state.ephemerals
    .filter((one) => one.user === me && (one.thread_ts ?? null) === root)
    .map((one) => ({ ...one, private: true, bot: true, files: [], reactions: [] }));
}

// What Slack itself said to me, here or in that thread.
const noticed = (root) => notices.filter((one) => one.user === me && one.thread_ts === root);

const item = (inThread) => (one) => (one.key ? notice(one, state) : message(one, state, act, inThread));

function channel() {
  const roots = state.messages.filter((one) => !isReply(one) || one.subtype === "thread_broadcast");
  const mine = noticed(null);
  const all = [...roots, ...privately(null), ...mine].sort(byTime);
  // A conversation opens by itself where there is room, so that nobody has to look for where to answer.
  // (An announcement is a single block.)
  const newest = roots.findLast((one) => one.bot && one.blocks?.length > 1);
  if (!chose && !narrow.matches) thread ??= newest?.ts ?? null;
  $("thread-pane").hidden = !thread || place === "home";
  const items = all.map(item(false));
  if (!items.length) items.push(el("li", { class: "empty", key: "empty", text: `This is #${state.channel.name}. Nobody has texted or called yet.` }));
  fillLog($("messages"), items);
}

function openThread() {
  if (!thread) return;
  const all = state.messages.filter((one) => one.ts === thread || one.thread_ts === thread);
  fillLog($("thread"), [...all, ...privately(thread), ...noticed(thread)].sort(byTime).map(item(true)));
}

function home() {
  const isHome = place === "home";
  $("go-home").setAttribute("aria-current", isHome);
  $("go-channel").setAttribute("aria-current", !isHome);
  $("home-pane").hidden = !isHome;
  $("channel-pane").hidden = isHome;
  if (!isHome) return;
  const view = state.homes[me];
  const press = (element, block_id, value) =>
    answers("press-view", { user: me, view_id: view.id, block_id, action_id: element.action_id, value }, "The button");
  fill($("home"), view
    ? [blocks(view.blocks, state, press)]
    : [el("p", { class: "empty", text: "The app shows nothing here yet." })]);
}

export function show(now) {
  state = now;
  me ??= state.people[0].id;
  $("channel-name").textContent = `# ${state.channel.name}`;
  $("go-channel").textContent = `# ${state.channel.name}`;
  fill($("go-home"), [avatar(state.bot, "small app"), ` ${state.bot}`]);
  if ($("who").options.length !== state.people.length) {
    $("who").replaceChildren(...state.people.map((one) => el("option", { value: one.id, text: one.name })));
  }
  $("who").value = me;
  channel();
  openThread();
  home();
  modal.show(state, me);
}

export const threadIsOpen = () => Boolean(thread);

function take(id) {
  const text = $(id).value;
  $(id).value = "";
  return text.trim();
}

export function start() {
  $("say-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = take("say-body");
    if (text.startsWith("/")) answers("command", { user: me, text }, text.split(" ")[0]);
    else if (text) send("say", { user: me, text, thread_ts: null, broadcast: false });
  });
  $("reply-picture").addEventListener("change", () => showChosen($("reply-picture"), $("reply-picture-name")));
  $("reply-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = take("reply-body");
    const [thread_ts, broadcast] = [thread, $("broadcast").checked];
    $("broadcast").checked = false;
    const picture = await takeFile($("reply-picture"));
    if (!text && !picture) return;
    const said = await send("say", { user: me, text, thread_ts, broadcast, picture });
    if (said?.refused) tell(said.refused, thread_ts);
  });
  $("who").addEventListener("change", () => {
    me = $("who").value;
    if (place === "home") send("home", { user: me });
    show(state);
  });
  $("thread-close").addEventListener("click", () => {
    chose = true;
    const root = thread;
    thread = null;
    show(state);
    ($("messages").querySelector(`[data-ts="${root}"] .open-thread`) ?? $("say-body")).focus();
  });
  for (const where of ["channel", "home"]) {
    $(`go-${where}`).addEventListener("click", () => {
      place = where;
      if (where === "home") send("home", { user: me });
      show(state);
    });
  }
}
