// Slack's Block Kit as DOM nodes: every block and element that Slack has in messages, home tabs and modals. Whoever shows
// them says what a press does: `press(element, block_id, value)`.
import { button, el, fragment } from "./dom.js";
import { entity, link, mrkdwn, plain, textObject } from "./mrkdwn.js";

const STYLES = [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]];

function rich(piece, state) {
  const children = () => (piece.elements ?? []).map((one) => rich(one, state));
  const styled = (node) => STYLES.reduce((inner, [style, tag]) => (piece.style?.[style] ? el(tag, {}, inner) : inner), node);
  switch (piece.type) {
    case "text": return styled(piece.text);
    case "link": return styled(link(piece.url, piece.text ?? piece.url));
    case "emoji": return state.emoji[piece.name] ?? `:${piece.name}:`;
    case "user": return entity(`@${piece.user_id}`, state);
    case "usergroup": return entity(`!${piece.usergroup_id}`, state);
    case "channel": return entity(`#${piece.channel_id}`, state);
    case "broadcast": return entity(`!${piece.range}`, state);
    case "date": return piece.fallback ?? "";
    case "rich_text_quote": return el("blockquote", {}, ...children());
    case "rich_text_preformatted": return el("pre", {}, ...children());
    case "rich_text_list":
      return el(piece.style === "ordered" ? "ol" : "ul", { class: "plain" }, ...children().map((one) => el("li", {}, one)));
    default: return el("div", {}, ...children());
  }
}

function picture(one) {
  // What lies elsewhere is not fetched: the page needs no network.
  const isHere = one.image_url && !/^https?:/i.test(one.image_url);
  if (isHere) return el("img", { src: one.image_url, alt: one.alt_text });
  return el("span", { class: "elsewhere", text: `picture: ${one.alt_text}` });
}

const isSure = (asked) => !asked || window.confirm(`${asked.title.text}\n\n${asked.text.text}`);

function choices(one, state, press) {
  const prompt = one.placeholder ? plain(one.placeholder, state) : "Choose…";
  const chosen = one.initial_option?.value ?? "";
  const select = el("select", { "aria-label": one.type === "overflow" ? "More" : prompt, class: one.type === "overflow" ? "overflow" : null },
    el("option", { value: "", text: one.type === "overflow" ? "⋯" : prompt }),
    ...(one.options ?? []).map((option) =>
      el("option", { value: option.value, text: plain(option.text, state), selected: option.value === chosen })));
  select.onchange = () => {
    const value = select.value;
    if (one.type === "overflow") select.value = "";
    if (value && isSure(one.confirm)) press(one, value);
  };
  return select;
}

function element(one, state, press) {
  switch (one.type) {
    case "button": {
      const words = plain(one.text, state);
      const act = () => {
        if (!isSure(one.confirm)) return;
        if (one.url) window.open(one.url, "_blank", "noopener");
        press(one);
      };
      return button(words, act, one.style ?? "", { "aria-label": one.accessibility_label });
    }
    case "image": return picture(one);
    case "mrkdwn":
    case "plain_text": return textObject(one, state);
    case "overflow":
    case "static_select":
    case "radio_buttons": return choices(one, state, press);
    default: return el("span", { class: "note", text: `(${one.type})` });
  }
}

function one(block, state, press) {
  const pressed = (element, value) => press(element, block.block_id, value);
  const elements = () => block.elements.map((part) => element(part, state, pressed));
  switch (block.type) {
    case "section": {
      const fields = (block.fields ?? []).map((field) => textObject(field, state));
      return el("div", { class: "section" },
        el("div", { class: "words" },
          block.text ? textObject(block.text, state) : "",
          fields.length ? el("div", { class: "fields" }, ...fields) : ""),
        block.accessory ? el("div", { class: "accessory" }, element(block.accessory, state, pressed)) : "");
    }
    case "context": return el("div", { class: "context" }, ...elements());
    case "actions": return el("div", { class: "actions" }, ...elements());
    case "header": return el("div", { class: "heading", text: plain(block.text, state) });
    case "divider": return el("hr");
    case "image":
      return el("figure", {}, block.title ? el("figcaption", { text: plain(block.title, state) }) : "", picture(block));
    case "rich_text": return el("div", {}, ...block.elements.map((part) => rich(part, state)));
    case "markdown": return el("div", {}, mrkdwn(block.text, state));
    default: return el("span", { class: "note", text: `(${block.type})` });
  }
}

export function blocks(list, state, press) {
  return fragment(...list.map((block) => one(block, state, press)));
}
