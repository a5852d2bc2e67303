// One message as Slack shows it.
import { avatar, button, el, plural, time } from "./dom.js";
import { blocks } from "./blocks.js";
import { emoji, mrkdwn } from "./mrkdwn.js";

function file(one) {
  const src = `files/${one.id}`;
  if (one.mimetype.startsWith("image/")) return el("img", { src, alt: one.name, key: one.id });
  if (one.mimetype.startsWith("audio/")) {
    return el("figure", { class: "sound", key: one.id },
      el("figcaption", { text: one.name }), el("audio", { src, controls: true, preload: "none", "aria-label": one.name }));
  }
  return el("a", { href: src, text: one.name, key: one.id, class: "file" });
}

function reactions(one, state) {
  return el("div", { class: "reactions" }, ...one.reactions.map((reaction) => {
    const mark = state.emoji[reaction.name] ?? `:${reaction.name}:`;
    return el("span", { role: "img", "aria-label": reaction.name.replaceAll("_", " "), title: `:${reaction.name}:`, text: `${mark} ${reaction.count}` });
  }));
}

// What is said after a name, besides the time.
function notes(one, inThread) {
  if (one.subtype !== "thread_broadcast") return "";
  return el("div", { class: "note", text: inThread ? "also sent to the channel" : "replied to a thread" });
}

// `act` is what can be done with it: `press(…)` for buttons, `open(root)` for its thread, where it stands in the channel.
export function message(one, state, act, inThread) {
  const name = one.bot ? state.bot : state.users[one.user] ?? one.user ?? "";
  const byBlocks = one.blocks?.length && (one.bot || one.private);
  const press = (element, block_id, value) => act.press(one, element, block_id, value);
  const words = byBlocks ? blocks(one.blocks, state, press) : mrkdwn(one.text, state);
  const body = el("div", { class: "body" }, words,
    one.edited ? el("span", { class: "note", text: "(edited)" }) : "");
  const head = el("div", { class: "head" },
    el("span", { class: "by", text: name }),
    one.bot ? el("span", { class: "badge", text: "APP" }) : "",
    el("time", { text: time(Number(one.ts)) }));
  const item = el("li", { class: one.private ? "message private" : "message", key: one.ts, "data-ts": one.ts },
    avatar(name, one.bot ? "app" : ""),
    el("div", { class: "content" },
      one.private ? el("div", { class: "note", text: "Only visible to you" }) : "",
      head, notes(one, inThread), body,
      ...one.files.map(file),
      one.reactions.length ? reactions(one, state) : "",
      !inThread && !one.private && !one.notice ? thread(one, state, act) : ""));
  return item;
}

function thread(one, state, act) {
  const root = one.thread_ts ?? one.ts;
  const replies = state.messages.filter((reply) => reply.thread_ts === root && reply.ts !== root);
  if (!replies.length) return button("Reply in thread", () => act.open(root), "open-thread");
  const people = [...new Set(replies.map((reply) => (reply.bot ? state.bot : state.users[reply.user] ?? "")))].slice(0, 4);
  const words = plural(replies.length, "reply", "replies");
  const node = button("", () => act.open(root), "open-thread has-replies", { "aria-label": `${words}, open the thread` });
  node.append(...people.map((name) => avatar(name, name === state.bot ? "small app" : "small")),
    el("strong", { text: words }), el("span", { class: "note", text: `last at ${time(Number(replies.at(-1).ts))}` }));
  return node;
}

// What Slack itself tells one person when the app does not answer.
export function notice(one, state) {
  return el("li", { class: "message private", key: one.key, role: "alert" },
    avatar("Slackbot"),
    el("div", { class: "content" },
      el("div", { class: "note", text: "Only visible to you" }),
      el("div", { class: "head" }, el("span", { class: "by", text: "Slackbot" }), el("time", { text: time(Number(one.ts)) })),
      el("div", { class: "body", text: emoji(one.text, state) })));
}

