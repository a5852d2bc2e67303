// Slack's mrkdwn and Block Kit as DOM nodes.

// An element; attributes besides `text`, `pressed` and handlers are set as they are.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value;
    else if (key === "pressed") node.setAttribute("aria-pressed", value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

function fragment(...children) {
  const all = document.createDocumentFragment();
  all.append(...children);
  return all;
}

function link(url, label) {
  if (!/^(https?|mailto|tel):/i.test(url)) return label;
  return el("a", { href: url, text: label, rel: "noopener noreferrer", target: "_blank" });
}

function entity(inner, state) {
  const [target, label] = inner.split(/\|(.*)/s);
  const mention = (text) => el("span", { class: "mention", text });
  if (target.startsWith("@")) return mention(`@${state.users[target.slice(1)] ?? target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${label || state.channel.name}`);
  if (target.startsWith("!date^")) return label ?? "";
  if (target.startsWith("!")) return mention(label ?? `@${target.slice(1)}`);
  return link(unescape(target), unescape(label ?? target));
}

function emoji(text, state) {
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

function textObject(object, state) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, state) : el("div", { text: plain(object, state) });
}

function rich(piece, state) {
  const children = () => (piece.elements ?? []).map((one) => rich(one, state));
  switch (piece.type) {
    case "text": {
      let node = piece.text;
      for (const [style, tag] of [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]]) {
        if (piece.style?.[style]) node = el(tag, {}, node);
      }
      return node;
    }
    case "link": return link(piece.url, piece.text ?? piece.url);
    case "emoji": return state.emoji[piece.name] ?? `:${piece.name}:`;
    case "user": return entity(`@${piece.user_id}`, state);
    case "channel": return entity(`#${piece.channel_id}`, state);
    case "broadcast": return entity(`!${piece.range}`, state);
    case "rich_text_quote": return el("blockquote", {}, ...children());
    case "rich_text_preformatted": return el("pre", {}, ...children());
    case "rich_text_list": return el("ul", {}, ...children().map((one) => el("li", {}, one)));
    default: return el("div", {}, ...children());
  }
}

function button(element, state, press) {
  const sure = () => {
    const asked = element.confirm;
    return !asked || window.confirm(`${asked.title.text}\n\n${asked.text.text}`);
  };
  const style = element.style === "primary" ? "primary" : element.style === "danger" ? "danger" : "";
  return el("button", {
    type: "button",
    class: style,
    text: plain(element.text, state),
    onclick: () => { if (sure()) press(element); },
  });
}

function element(one, state, press) {
  switch (one.type) {
    case "button": return button(one, state, press);
    case "image": return el("img", { src: one.image_url, alt: one.alt_text });
    case "mrkdwn":
    case "plain_text": return textObject(one, state);
    default: return el("span", { class: "note", text: `(${one.type})` });
  }
}

export function blocks(list, state, press) {
  return fragment(...list.map((block) => {
    const pressed = (one) => press(one, block.block_id);
    switch (block.type) {
      case "section": {
        const parts = [block.text, ...(block.fields ?? [])].filter(Boolean).map((one) => textObject(one, state));
        if (block.accessory) parts.push(el("div", { class: "actions" }, element(block.accessory, state, pressed)));
        return el("div", {}, ...parts);
      }
      case "context":
        return el("div", { class: "context" }, ...block.elements.map((one) => element(one, state, pressed)));
      case "actions":
        return el("div", { class: "actions" }, ...block.elements.map((one) => element(one, state, pressed)));
      case "header": return el("div", { class: "heading", text: plain(block.text, state) });
      case "divider": return el("hr");
      case "image": return el("img", { src: block.image_url, alt: block.alt_text });
      case "rich_text": return el("div", {}, ...block.elements.map((one) => rich(one, state)));
      default: return el("span", { class: "note", text: `(${block.type})` });
    }
  }));
}
