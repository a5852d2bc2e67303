// Elements, and lists of them that change without flicker: what is there stays there, with its focus, its place and
// what was typed into it.

// An element. `text`, `key` and handlers are special; every other attribute is set as it is, and left out where it is
// false or null.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name === "key") node.dataset.key = value;
    else if (name.startsWith("on")) node[name] = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export const button = (text, onclick, style = "", more = {}) =>
  el("button", { type: "button", class: style || null, text, onclick, ...more });

export function fragment(...children) {
  const all = document.createDocumentFragment();
  all.append(...children);
  return all;
}

const HANDLERS = ["onclick", "onsubmit", "onchange", "onkeydown", "oninput"];

function isSame(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName
    && old.dataset?.key === fresh.dataset?.key;
}

// Makes `old` what `fresh` is. What a person has typed, chosen or opened is theirs.
function update(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const handler of HANDLERS) {
    if (old[handler] !== fresh[handler]) old[handler] = fresh[handler];
  }
  if (old.nodeName !== "SELECT" && old.nodeName !== "TEXTAREA") fill(old, [...fresh.childNodes]);
}

// Makes the children of `parent` what `fresh` is.
export function fill(parent, fresh) {
  const nodes = fresh.flat().filter(Boolean)
    .flatMap((node) => (node instanceof DocumentFragment ? [...node.childNodes] : [node]))
    .map((node) => (typeof node === "string" ? document.createTextNode(node) : node));
  const keys = new Set(nodes.map((node) => node.dataset?.key).filter(Boolean));
  const keyed = new Map();
  for (const old of [...parent.childNodes]) {
    const key = old.dataset?.key;
    if (key && !keys.has(key)) old.remove();
    else if (key) keyed.set(key, old);
  }
  let at = parent.firstChild;
  for (const node of nodes) {
    const key = node.dataset?.key;
    const old = key ? keyed.get(key) : at;
    if (old && !(old.dataset?.key && !key) && isSame(old, node)) {
      if (old === at) at = at.nextSibling;
      else parent.insertBefore(old, at);
      update(old, node);
    } else {
      parent.insertBefore(node, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// The same for a list that is read from its end: it stays there if it was there.
export const isAtEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 60;

export function fillLog(list, items, atEnd = isAtEnd(list)) {
  fill(list, items);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

// The same for a part whose buttons come and go: focus that would be lost goes to what can be done next.
export function fillActing(part, items) {
  const had = part.contains(document.activeElement);
  fill(part, items);
  if (had && !part.contains(document.activeElement)) {
    const next = part.querySelector("button:not(:disabled), textarea, input") ?? part;
    next.focus({ preventScroll: true });
  }
}

export const time = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

// A number as people here write it.
export function national(number) {
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return parts ? `(${parts[1]}) ${parts[2]}-${parts[3]}` : number;
}

// A round or square picture of somebody: their initial on a colour of their own.
export function avatar(name, more = "") {
  const hue = [...name].reduce((sum, letter) => (sum * 3 + letter.codePointAt(0)) % 97, 2) % 8;
  return el("span", { class: `avatar hue${hue} ${more}`.trim(), "aria-hidden": "true", text: name.slice(0, 1).toUpperCase() });
}

// What a file field has, as JSON takes it; the field is empty afterwards.
export async function takeFile(field) {
  const file = field.files[0];
  if (!file) return null;
  field.value = "";
  field.dispatchEvent(new Event("change"));
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  bytes.forEach((byte) => { binary += String.fromCharCode(byte); });
  return { name: file.name, content_type: file.type, base64: btoa(binary) };
}

// Shows in a file field's label whether something was chosen, and what.
export function showChosen(field, name) {
  const file = field.files[0];
  field.parentElement.classList.toggle("chosen", Boolean(file));
  name.textContent = file ? file.name : "";
}

export async function send(path, body = {}) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => null);
  return response?.ok ? response.json() : null;
}
