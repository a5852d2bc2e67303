// Slack's mrkdwn as DOM nodes.
import { el, fragment } from "./dom.js";

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

export function link(url, label) {
  if (!/^(https?|mailto|tel):/i.test(url)) return label;
  return el("a", { href: url, text: label, rel: "noopener noreferrer", target: "_blank" });
}

export function entity(inner, state) {
  const [target, label] = inner.split(/\|(.*)/s);
  const mention = (text) => el("span", { class: "mention", text });
  if (target.startsWith("@")) return mention(`@${state.users[target.slice(1)] ?? target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${label || state.channel.name}`);
  if (target.startsWith("!date^")) return label ?? "";
  if (target.startsWith("!")) return mention(label ?? `@${target.slice(1)}`);
  return link(unescape(target), unescape(label ?? target));
}

export function emoji(text, state) {
  return text.replace(/:([a-z0-9_+'-]+):(?::(skin-tone-[2-6]):)?/g, (all, name) => state.emoji[name] ?? all);
}

const MARKS = [
  [/```([\s\S]+?)```/, (inner) => el("pre", { text: unescape(inner) })],
  [/`([^`\n]+)`/, (inner) => el("code", { text: unescape(inner) })],
  [/<([^<>\n]+)>/, (inner, state) => entity(inner, state)],
  [/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*?\S)\*(?![\p{L}\p{N}*])/u, (inner, state) => el("strong", {}, inline(inner, state))],
  [/(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*?\S)_(?![\p{L}\p{N}_])/u, (inner, state) => el("em", {}, inline(inner, state))],
  [/(?<![\p{L}\p{N}~])~(?=\S)([^~\n]*?\S)~(?![\p{L}\p{N}~])/u, (inner, state) => el("s", {}, inline(inner, state))],
];

// The leftmost mark first, then what stands before and after it.
function inline(text, state) {
  const parts = [];
  let rest = text;
  for (;;) {
    let best = null;
    for (const [pattern, make] of MARKS) {
      const found = pattern.exec(rest);
      if (found && (!best || found.index < best.found.index)) best = { found, make };
    }
    if (!best) break;
    const { found, make } = best;
    parts.push(emoji(unescape(rest.slice(0, found.index)), state), make(found[1], state));
    rest = rest.slice(found.index + found[0].length);
  }
  parts.push(emoji(unescape(rest), state));
  return fragment(...parts);
}

export function mrkdwn(text, state) {
  const lines = text.split(/\n(?=&gt;)|(?<=^&gt;[^\n]*)\n/m);
  return fragment(...lines.map((part) =>
    part.startsWith("&gt;")
      ? el("blockquote", {}, inline(part.slice(4).trimStart(), state))
      : el("div", {}, inline(part, state))));
}

export function plain(object, state) {
  return object.emoji === false ? object.text : emoji(object.text, state);
}

export function textObject(object, state) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, state) : el("div", { text: plain(object, state) });
}
