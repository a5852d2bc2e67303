// The demo page: shows what the stand-ins received and the relay keeps, and acts as the people in front of them.
// Everything shown goes through textContent; nothing a caller or Slack says is ever taken for markup.
import * as desk from "./desk.js";
import * as guide from "./guide.js";
import * as phone from "./phone.js";
import * as service from "./service.js";
import * as slack from "./slack.js";

const parts = [phone, slack, service, guide];
parts.forEach((part) => part.start());

const live = document.getElementById("live");
const tell = (text) => { if (live.textContent !== text) live.textContent = text; };

const events = new EventSource("events");
events.addEventListener("state", (event) => {
  const state = JSON.parse(event.data);
  tell("live");
  live.className = "live";
  parts.forEach((part) => part.show(state));
  desk.showAll(state);
  document.body.classList.remove("waiting");
});
events.addEventListener("error", () => {
  tell("the demo has stopped; waiting for it …");
  live.className = "gone";
});
