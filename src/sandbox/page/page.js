// The demo page: shows what the stand-ins received and acts as the people in front of them.
// Everything shown goes through textContent; nothing a caller or Slack says is ever taken for markup.
import { blocks, el, mrkdwn, plain } from "./render.js";

const $ = (id) => document.getElementById(id);
let state = null;
let caller = null; // number
let me = null; // user id
let thread = null; // ts of the open thread's head
let chose = false; // whether somebody has opened or closed a thread
let atHome = false;
const narrow = matchMedia("(max-width: 60rem)"); // as in page.css

const time = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

async function send(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) $("live").textContent = `${path}: ${response.status}`;
  return response.ok ? response.json() : null;
}

// Replaces a list's items and keeps it at its end when it was there.
function fill(list, items) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.replaceChildren(...items);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function texts() {
  $("callers").replaceChildren(
    ...state.callers.map((one) =>
      el("button", {
        type: "button",
        text: one.name,
        title: one.number,
        pressed: one.number === caller,
        onclick: () => { caller = one.number; show(); },
      })),
  );
  const current = state.callers.find((one) => one.number === caller);
  fill($("texts"), current.texts.map((text) => {
    const item = el("li", { class: text.inbound ? "out" : "in", text: text.body });
    text.pictures.forEach((src) => item.append(el("img", { src, alt: "picture" })));
    text.links.forEach((href) => item.append(el("a", { href, text: "picture" })));
    item.append(el("small", { text: `${time(text.at)} · ${text.status}` }));
    return item;
  }));
  calls();
}

// The last call of the caller shown, with the desk's phones while it goes on. What can be done now is what buttons offer.
function calls() {
  const call = state.calls.filter((one) => one.from === caller).at(-1);
  $("call").disabled = Boolean(call && !call.is_over);
  $("calls").hidden = !call;
  if (!call) return;
  const does = (number, act, more = {}) => () => send("call-act", { sid: call.sid, number, act, ...more });
  const button = (text, onclick, style = "") => el("button", { type: "button", class: style, text, onclick });
  const phone = (one) => {
    const offers = {
      idle: [],
      ringing: [button("Pick up", does(one.number, "pick_up"), "primary"), button("Decline", does(one.number, "decline"), "danger")],
      answered: [button("Press 1", does(one.number, "press", { keys: "1" }), "primary"), button("Hang up", does(one.number, "hang_up"), "danger")],
      talking: [button("Hang up", does(one.number, "hang_up"), "danger")],
    };
    return el("div", { class: `phone ${one.is}` }, el("span", { text: `${one.name}: ${one.is}` }), ...offers[one.is]);
  };
  const log = el("ol", {}, ...call.lines.map((line) => el("li", { text: `${line.at} s  ${line.text}` })));
  const parts = [el("h3", { text: `Call: ${call.outcome}` })];
  if (!call.is_over) {
    parts.push(...call.phones.map(phone));
    const own = [];
    // A message has to take a moment, or there is nothing to hear in it.
    const speak = async () => {
      await does(null, "speak", { words: "Please call me back." })();
      setTimeout(does(null, "hang_up"), 3000);
    };
    if (call.may_speak) own.push(button("Leave a message and hang up", speak, "primary"));
    own.push(button("Hang up", does(null, "hang_up"), "danger"));
    parts.push(el("div", { class: "phone" }, el("span", { text: "Caller" }), ...own));
  }
  $("calls").replaceChildren(...parts, log);
  log.scrollTop = log.scrollHeight;
}

function message(one, inThread) {
  const name = one.bot ? state.bot : state.users[one.user] ?? one.user ?? "";
  const item = el("li", { class: one.private ? "message private" : "message" });
  item.append(el("span", { class: "by", text: name }), " ");
  item.append(el("time", { text: time(Number(one.ts)) }));
  const notes = [];
  if (one.bot) notes.push("app");
  if (one.edited) notes.push("edited");
  if (one.subtype === "thread_broadcast") notes.push(inThread ? "also in the channel" : "from a thread");
  if (one.private) notes.push("only you can see this");
  if (notes.length) item.append(el("span", { class: "note", text: notes.join(" · ") }));
  const press = (button, block_id) => send("press", { user: me, ts: one.ts, block_id, action_id: button.action_id });
  const body = one.blocks && (one.bot || one.private) ? blocks(one.blocks, state, press) : mrkdwn(one.text, state);
  item.append(el("div", { class: "body" }, body));
  one.files.forEach((file) => item.append(
    file.mimetype.startsWith("image/")
      ? el("img", { src: `files/${file.id}`, alt: file.name })
      : el("a", { href: `files/${file.id}`, text: file.name }),
  ));
  if (one.reactions.length) {
    item.append(el("div", { class: "reactions" }, ...one.reactions.map((reaction) =>
      el("span", { text: state.emoji[reaction.name] ?? `:${reaction.name}:`, title: reaction.name }))));
  }
  if (!inThread && !one.private) {
    const head = one.thread_ts ?? one.ts;
    const replies = state.messages.filter((reply) => reply.thread_ts === head && reply.ts !== head).length;
    const words = replies === 0 ? "Reply in thread" : replies === 1 ? "1 reply" : `${replies} replies`;
    item.append(el("button", {
      type: "button",
      class: "open-thread",
      text: words,
      onclick: () => { chose = true; thread = head; show(); $("reply-body").focus(); },
    }));
  }
  return item;
}

function slack() {
  $("channel-name").textContent = `#${state.channel.name}`;
  if ($("who").options.length !== state.people.length) {
    $("who").replaceChildren(...state.people.map((one) => el("option", { value: one.id, text: one.name })));
  }
  $("who").value = me;
  const own = state.ephemerals.filter((one) => one.user === me)
    .map((one) => ({ ...one, private: true, bot: true, files: [], reactions: [] }));
  const byTime = (a, b) => (a.ts < b.ts ? -1 : 1);
  const isReply = (one) => one.thread_ts && one.thread_ts !== one.ts;
  const roots = state.messages.filter((one) => !isReply(one) || one.subtype === "thread_broadcast");
  const inChannel = own.filter((one) => !one.thread_ts);
  fill($("messages"), [...roots, ...inChannel].sort(byTime).map((one) => message(one, false)));

  // A conversation opens by itself where there is room, so that nobody has to look for where to answer.
  // (An announcement is a single block.)
  const newest = roots.findLast((one) => one.bot && one.blocks?.length > 1);
  if (!chose && !narrow.matches) thread ??= newest?.ts ?? null;
  const head = state.messages.find((one) => one.ts === thread);
  $("thread-pane").hidden = !thread;
  if (thread) {
    const replies = state.messages.filter((one) => one.thread_ts === thread && one.ts !== thread);
    const privately = own.filter((one) => one.thread_ts === thread);
    const all = [...(head ? [head] : []), ...[...replies, ...privately].sort(byTime)];
    fill($("thread"), all.map((one) => message(one, true)));
  }

  $("home-button").setAttribute("aria-pressed", atHome);
  $("home-pane").hidden = !atHome;
  $("channel-pane").hidden = atHome;
  const home = state.homes[me];
  const press = (button, block_id) => send("press-view", { user: me, view_id: home.id, block_id, action_id: button.action_id });
  $("home").replaceChildren(home ? blocks(home.blocks, state, press) : "The app has not published a home tab.");
  modal();
}

// A modal is drawn once per view, or what is being typed would be lost with every update.
function modal() {
  const shown = state.modals.filter((one) => one.user === me).at(-1)?.view;
  const dialog = $("modal");
  if (!shown) return dialog.close();
  if (dialog.open && dialog.dataset.hash === shown.hash) return;
  dialog.dataset.hash = shown.hash;
  const problem = el("p", { class: "problem", role: "alert" });
  const fields = shown.blocks.map((block) => {
    if (block.type !== "input") return blocks([block], state, () => {});
    const options = block.element.options;
    const field = options
      ? el("select", { name: block.block_id },
          ...options.map((option) => el("option", { value: option.value, text: option.text.text })))
      : el(block.element.multiline ? "textarea" : "input", { name: block.block_id });
    field.value = block.element.initial_value ?? options?.[0]?.value ?? "";
    return el("label", {}, plain(block.label, state), field);
  });
  const form = el("form", { method: "dialog" },
    el("h3", { id: "modal-title", text: shown.title.text }), ...fields, problem,
    el("div", { class: "row" },
      el("button", { type: "button", text: shown.close?.text ?? "Cancel", onclick: () => dismiss() }),
      shown.submit ? el("button", { class: "primary", text: shown.submit.text }) : ""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await send("submit", { user: me, values: [...new FormData(form)] });
    const errors = answer?.json?.errors;
    problem.textContent = errors ? Object.values(errors).join(" ") : "";
  });
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
}

async function dismiss() {
  await send("dismiss", { user: me });
}

function show() {
  if (!state) return;
  caller ??= state.callers[0].number;
  me ??= state.people[0].id;
  texts();
  slack();
  $("objections").hidden = state.violations.length === 0;
  $("objections").querySelector("ul").replaceChildren(...state.violations.map((text) => el("li", { text })));
}

function onSubmit(id, then) {
  $(id).addEventListener("submit", (event) => { event.preventDefault(); then(); });
}

function takeText(id) {
  const text = $(id).value;
  $(id).value = "";
  return text;
}

async function takePicture() {
  const file = $("picture").files[0];
  if (!file) return null;
  $("picture").value = "";
  $("picture-label").classList.remove("chosen");
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  bytes.forEach((byte) => { binary += String.fromCharCode(byte); });
  return { content_type: file.type, base64: btoa(binary) };
}

$("picture").addEventListener("change", () =>
  $("picture-label").classList.toggle("chosen", $("picture").files.length > 0));
onSubmit("text-form", async () => {
  const body = takeText("text-body");
  const picture = await takePicture();
  if (body || picture) send("text", { from: caller, body, picture });
});
$("text-body").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    $("text-form").requestSubmit();
  }
});
$("call").addEventListener("click", () => send("call", { from: caller }));
onSubmit("say-form", () => {
  const text = takeText("say-body");
  if (text.startsWith("/")) send("command", { user: me, text });
  else if (text) send("say", { user: me, text, thread_ts: null, broadcast: false });
});
onSubmit("reply-form", () => {
  const text = takeText("reply-body");
  if (text) send("say", { user: me, text, thread_ts: thread, broadcast: $("broadcast").checked });
  $("broadcast").checked = false;
});
$("who").addEventListener("change", () => { me = $("who").value; show(); });
$("thread-close").addEventListener("click", () => { chose = true; thread = null; show(); });
$("home-button").addEventListener("click", () => {
  atHome = !atHome;
  if (atHome) send("home", { user: me });
  show();
});
$("modal").addEventListener("cancel", (event) => { event.preventDefault(); dismiss(); });

const events = new EventSource("events");
events.addEventListener("state", (event) => {
  state = JSON.parse(event.data);
  $("live").textContent = "live";
  show();
});
events.addEventListener("error", () => { $("live").textContent = "the demo has stopped; waiting for it …"; });
