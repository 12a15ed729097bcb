// The inspector's page. Everything that came with a request is inserted as text, never as HTML.
"use strict";

const MASK = "••••••";
const SVG = "http://www.w3.org/2000/svg";
const STEPS = { compose: "Request → event", function: "Inside the function", interpret: "Payload → response" };
const PANELS = [
  ["request", "HTTP request", "from the client"],
  ["event", "Event", "what Lambda gets"],
  ["scope", "Scope", "what the application gets"],
  ["answer", "HTTP response", "to the client"],
  ["payload", "Payload", "what Lambda returns"],
  ["response", "Application’s response", "what it answered"],
];

// The panels that have other names for what happens on a connection of a WebSocket API.
const CONNECTION_PANELS = {
  CONNECT: { request: ["Handshake", "from the client"], answer: ["Answer", "to the client"] },
  MESSAGE: { request: ["Message", "from the client"], answer: ["Message", "of the API, to the client"] },
  DISCONNECT: { request: ["End", "of the connection"], answer: ["Answer", "to nobody"] },
  POST: { request: ["Message", "to the client"], answer: ["HTTP response", "to the function"] },
};

const requests = new Map(); // the summary of each request, by number
const rows = new Map(); // its row in the list
const token = accessToken();
let hello = { sources: [], url: "", isWorking: true };
let processes = [];
let shown = null; // the view of the selected request
let withSecrets = false;
let comparison = null; // the number of the replay that the selected request is compared with
let copied = null; // the text of the last copy: { number, kind, text }

const byId = (id) => document.getElementById(id);

/** Returns a new element; strings among the children become text. */
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function milliseconds(seconds) {
  const value = seconds * 1000;
  if (value >= 10000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? Math.round(value) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ms`;
}

function count(number, name) {
  return `${number} ${name}${number === 1 ? "" : "s"}`;
}

/** Returns the names and seconds of the parts of a request's time. */
function timeParts(summary) {
  const parts = ["compose", "handler", "interpret"].map((name) => [name, summary[name]]);
  if (summary.encoding === "stream" && summary.isOver) {
    parts.push(["stream", summary.seconds - summary.compose - summary.handler - summary.interpret]);
  }
  return parts;
}

function bytes(size) {
  if (size < 10000) return `${size} B`;
  return size < 1024 * 1024 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 1024 / 1024).toFixed(1)} MiB`;
}

function say(text) {
  byId("message").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { byId("message").textContent = ""; }, 6000);
}

/** Returns the access token of the address that bridge serve prints, or that of the last visit. */
function accessToken() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    localStorage.setItem("token", given[1]);
    history.replaceState(null, "", location.pathname);
  }
  return localStorage.getItem("token") || "";
}

async function load(path, options = {}) {
  const headers = { ...options.headers, "X-Bridge-Inspector": token };
  const response = await fetch(path, { ...options, headers });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response;
}

function post(path, content) {
  const headers = { "Content-Type": "application/json" };
  return load(path, { method: "POST", headers, body: JSON.stringify(content) });
}

// --- the list

function statusTag(summary) {
  const status = make("span", { class: "status" }, summary.isOver || summary.status ? String(summary.status) : "…");
  status.dataset.kind = String(Math.floor(summary.status / 100));
  return status;
}

function timeBar(summary) {
  const bar = make("span", { class: "times" });
  for (const [part, seconds] of timeParts(summary)) {
    const piece = make("span", { class: part });
    piece.style.flexGrow = String(Math.max(seconds, 0) * 1e6); // the sum must be at least 1 to fill the bar
    bar.append(piece);
  }
  return bar;
}

function fillRow(row, summary) {
  const link = row.firstChild;
  const time = summary.isOver ? milliseconds(summary.seconds) : "in flight";
  const facts = make("span", { class: "row-facts" }, statusTag(summary), time);
  if (summary.isOver || summary.encoding === "stream") facts.append(make("span", {}, bytes(summary.size)));
  if (summary.encoding !== "-") facts.append(make("span", {}, summary.encoding));
  if (summary.isOwnAnswer) facts.append(make("span", { class: "tag warn" }, "front door"));
  if (summary.hasNote) facts.append(make("span", { class: "tag warn" }, "warning"));
  if (summary.process && summary.process.is_cold_start) facts.append(make("span", { class: "tag" }, "cold start"));
  if (summary.connection) facts.append(make("span", { class: "tag" }, summary.connection));
  if (summary.replayOf) {
    facts.append(make("span", { class: "tag" }, `replay of #${summary.replayOf} · ${summary.source}`));
  }
  const target = make("span", { class: "row-target", title: summary.target },
    make("span", { class: "row-method" }, summary.method), ` ${summary.target}`);
  link.replaceChildren(target, make("span", { class: "row-time" }, timeBar(summary)), facts);
}

function matches(summary) {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `#${summary.number} ${summary.method} ${summary.target} ${summary.status} ${summary.source} ` +
    `${summary.function} ${summary.encoding} ${summary.connection}`;
  const kinds = {
    all: true,
    errors: summary.status >= 400 && summary.method !== "DISCONNECT",
    websocket: summary.connection !== "",
    refused: summary.isOwnAnswer,
    slow: summary.seconds > 1,
    base64: summary.encoding === "base64",
    stream: summary.encoding === "stream",
    replays: summary.replayOf > 0,
  };
  return kinds[byId("filter").value] && words.every((word) => text.toLowerCase().includes(word));
}

function updateList() {
  let visible = 0;
  for (const [number, row] of rows) {
    row.hidden = !matches(requests.get(number));
    visible += row.hidden ? 0 : 1;
  }
  const total = requests.size;
  byId("count").textContent = total === 0 ? "" : visible === total ? count(total, "request") : `${visible} of ${count(total, "request")}`;
  const empty = byId("empty");
  empty.hidden = visible > 0;
  if (total > 0) empty.textContent = "No request matches.";
  else if (hello.isWorking) empty.replaceChildren("No requests yet. Send one to ", make("code", {}, hello.url), ".");
  else empty.textContent = "The application cannot be served. See the log of bridge serve; the next change restarts it.";
}

function addSummary(summary) {
  requests.set(summary.number, summary);
  if (summary.connection) byId("connections-link").hidden = false;
  let row = rows.get(summary.number);
  if (!row) {
    row = make("li", {}, make("a", { href: `#${summary.number}`, class: "new" }));
    rows.set(summary.number, row);
    byId("list").prepend(row);
  }
  fillRow(row, summary);
}

function removeBefore(oldest) {
  for (const [number, row] of rows) {
    if (number >= oldest) continue;
    row.remove();
    rows.delete(number);
    requests.delete(number);
  }
}

function visibleLinks() {
  return [...byId("list").querySelectorAll("li:not([hidden]) a")];
}

// --- a request

/** Returns text, with a button in the place of each hidden secret. */
function withButtons(text) {
  const parts = [];
  String(text).split(MASK).forEach((part, index) => {
    if (index > 0) {
      const label = "Hidden. Show the secrets of this request";
      parts.push(make("button", { type: "button", class: "secret", "aria-label": label, title: "Show", onclick: showSecrets }, MASK));
    }
    if (part) parts.push(part);
  });
  return parts;
}

function showSecrets() {
  withSecrets = true;
  showRequest(shown.summary.number);
}

function pairList(pairs, reasons) {
  const list = make("dl", { class: "pairs" });
  for (const [name, value] of pairs) {
    const reason = reasons.find((each) => each.subject.toLowerCase() === name.toLowerCase());
    const tag = reason && make("span", { class: "tag warn", title: reason.reason }, reason.reason.split(/[: ]/)[0]);
    list.append(make("dt", {}, name), make("dd", {}, ...(value === null || value === "" ? [make("span", { class: "quiet" }, value === null ? "None" : "empty")] : withButtons(value)), tag));
  }
  return list;
}

function bodyBlock(body) {
  if (body.size === 0) return make("p", { class: "body-label" }, "No body");
  const form = body.form === "hex" ? "bytes" : "text";
  const rest = body.isWhole ? "" : ", the beginning";
  return make("div", {},
    make("p", { class: "body-label" }, `Body: ${bytes(body.size)}, ${form}${rest}`),
    make("pre", { class: `body ${body.form}` }, body.text));
}

function panel(name, title, subtitle, view) {
  const content = view.panels[name];
  const reasons = view.reasons.filter((each) =>
    (name === "request" && each.kind === "request header") || (name === "response" && each.kind === "response header"));
  const body = make("div", { class: "panel-body", tabIndex: 0, role: "region", "aria-label": title });
  if (content === null) {
    body.append(make("p", { class: "quiet" }, view.missing[name] || "Not answered yet."));
  } else if (content.json !== undefined) {
    body.append(make("pre", {}, ...withButtons(content.json)));
  } else {
    if (content.line) body.append(make("p", { class: "line" }, content.line));
    if (content.fields) body.append(pairList(content.fields, []));
    body.append(pairList(content.headers, reasons), bodyBlock(content.body));
  }
  return make("section", { class: "section", id: `panel-${name}` },
    make("h3", {}, title, make("span", { class: "quiet" }, subtitle)), body);
}

function whySection(view) {
  const list = make("ul", { class: "why" });
  let step = "";
  for (const reason of view.reasons) {
    const name = make("span", { class: "step" }, STEPS[reason.step]);
    if (reason.step === step) name.classList.add("repeated");
    step = reason.step;
    list.append(make("li", { class: reason.kind.split(" ")[0] }, name,
      make("span", { class: "reason" }, make("span", { class: "subject" }, reason.subject), reason.reason)));
  }
  return make("section", { class: "section", id: "why" }, make("h3", {}, "Why"), list);
}

function limitsSection(view) {
  const list = make("div", { class: "limits" });
  for (const limit of view.limits) {
    const share = Math.min(limit.size / limit.limit, 1);
    const fill = make("span");
    fill.style.width = `${share * 100}%`;
    const percent = share > 0 && share < 0.01 ? "below 1" : String(Math.round(share * 100));
    list.append(make("div", { class: limit.isNear ? "near" : "" },
      make("div", {}, `${limit.subject} `),
      make("div", { class: "numbers" }, `${limit.size.toLocaleString("en")} of ${limit.limit.toLocaleString("en")} (${percent} %)${limit.isNear ? " — near" : ""}`),
      make("div", { class: "meter" }, fill)));
  }
  return make("section", { class: "section", id: "limits" }, make("h3", {}, "Limits", make("span", { class: "quiet" }, "the nearest first")), list);
}

function chunksSection(view) {
  const end = Math.max(view.summary.seconds, ...view.chunks.map((chunk) => chunk.seconds), 0.001);
  const largest = Math.max(...view.chunks.map((chunk) => chunk.size), 1);
  const label = `${count(view.chunkCount, "chunk")}, ${bytes(view.summary.size)} in ${milliseconds(end)}`;
  const chart = makeSvg("svg", { class: "chart", viewBox: "0 0 1000 96", role: "img", "aria-label": label });
  chart.append(makeSvg("line", { class: "grid", x1: 0, y1: 76, x2: 1000, y2: 76 }));
  for (const chunk of view.chunks) {
    const height = 8 + 62 * (chunk.size / largest);
    chart.append(makeSvg("rect", { class: "chunk", x: (chunk.seconds / end) * 992, y: 76 - height, width: 5, height, rx: 1 }));
  }
  for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
    chart.append(makeSvg("text", { x: share * 1000, y: 92, "text-anchor": anchor }, milliseconds(end * share)));
  }
  const table = make("tbody");
  view.chunks.forEach((chunk, index) => table.append(make("tr", {},
    make("td", { class: "number" }, String(index + 1)), make("td", { class: "number" }, milliseconds(chunk.seconds)),
    make("td", { class: "number" }, bytes(chunk.size)),
    make("td", { class: "code" }, chunk.text === null ? "not stored" : chunk.text.trimEnd()))));
  const head = make("tr", {}, ...["Chunk", "After", "Size"].map((text) => make("th", { class: "number" }, text)), make("th", {}, "Content"));
  return make("section", { class: "section", id: "chunks" },
    make("h3", {}, "Stream", make("span", { class: "quiet" }, label)),
    make("div", { class: "padded" }, chart),
    make("div", { class: "chunks table-scroll", tabIndex: 0, role: "region", "aria-label": "Chunks" },
      make("table", {}, make("thead", {}, head), table)));
}

/** Returns what has happened on the connection of an event, the oldest first. */
function messagesSection(view) {
  const { messages } = view;
  const start = messages[0].started;
  const body = make("tbody");
  for (const message of messages) {
    const isIn = ["CONNECT", "MESSAGE", "DISCONNECT"].includes(message.method);
    const row = make("tr", {}, make("td", { class: "number" }, milliseconds(message.started - start)),
      make("td", {}, isIn ? "client → function" : "function → client"),
      make("td", {}, make("a", { href: `#${message.number}` }, `${message.method} ${message.status || "…"}`)),
      make("td", { class: "number" }, bytes(message.size)), make("td", { class: "code" }, message.text));
    if (message.number === view.summary.number) row.setAttribute("aria-current", "true");
    body.append(row);
  }
  const head = make("tr", {}, make("th", { class: "number", scope: "col" }, "After"), make("th", { scope: "col" }, "Direction"),
    make("th", { scope: "col" }, "What"), make("th", { class: "number", scope: "col" }, "Size"), make("th", { scope: "col" }, "Message"));
  const state = messages[messages.length - 1].method === "DISCONNECT" ? "closed" : messages[0].status === 101 ? "open" : "";
  return make("section", { class: "section", id: "messages" },
    make("h3", {}, "Connection", make("span", { class: "quiet" }, `${view.summary.connection} ${state}`.trim())),
    make("div", { class: "chunks table-scroll", tabIndex: 0, role: "region", "aria-label": "What has happened on the connection" },
      make("table", {}, make("thead", {}, head), body)));
}

async function differencesSection(view) {
  const section = make("section", { class: "section", id: "differences" });
  const other = requests.get(comparison);
  const close = make("button", { type: "button", onclick: () => { comparison = null; renderRequest(); } }, "Close");
  const title = make("h3", {}, "Differences",
    make("span", { class: "quiet" }, `#${view.summary.number} behind ${view.summary.source}, and #${comparison} behind ${other ? other.source : "?"}`), close);
  section.append(title);
  const response = await load(`api/compare/${view.summary.number}/${comparison}${withSecrets ? "?secrets=1" : ""}`);
  const differences = await response.json();
  if (differences.length === 0) {
    section.append(make("p", { class: "padded" }, "None: the application gets the same request, and the client the same response."));
    return section;
  }
  const body = make("tbody");
  for (const each of differences) {
    const cell = (value, kind) => make("td", { class: `code ${value === undefined || value === null ? "" : kind}` },
      ...(value === undefined || value === null ? [make("span", { class: "quiet" }, "none")] : withButtons(value)));
    body.append(make("tr", {}, make("td", {}, each.part), make("th", { scope: "row" }, each.name), cell(each.before, "removed"), cell(each.after, "added")));
  }
  const head = make("tr", {}, ...["Part", "Name", view.summary.source, other ? other.source : "replay"].map((text) => make("th", { scope: "col" }, text)));
  section.append(make("div", { class: "table-scroll", tabIndex: 0, role: "region", "aria-label": "Differences" }, make("table", {}, make("thead", {}, head), body)));
  return section;
}

async function replay(source) {
  const { number } = shown.summary;
  try {
    const answer = await (await post(`api/requests/${number}/replay`, { source })).json();
    say(`Sent again as #${answer.number}.`);
    return answer.number;
  } catch (error) {
    say(error.message);
    return null;
  }
}

async function replayAndOpen() {
  const number = await replay(shown.summary.source);
  if (number !== null) location.hash = `#${number}`;
}

async function replayAndCompare() {
  const number = await replay(byId("behind").value);
  if (number === null) return;
  for (let tries = 0; tries < 200 && !(requests.get(number) || {}).isOver; tries += 1) {
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  comparison = number;
  await renderRequest();
  const section = byId("differences");
  if (section) section.scrollIntoView({ block: "nearest" });
}

async function copy(kind) {
  const { number } = shown.summary;
  try {
    const text = await (await load(`api/requests/${number}/copy/${kind}${withSecrets ? "?secrets=1" : ""}`)).text();
    if (!text) {
      say("There is no event: the front door answered this request itself.");
      return;
    }
    copied = { number, kind, text };
    let outcome = "Copied";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      outcome = "The browser does not allow copying. Select the text in the page";
    }
    say(shown.hasSecrets && !withSecrets ? `${outcome} without secrets. Show them first to copy them, too.` : `${outcome}.`);
    await renderRequest();
  } catch (error) {
    say(error.message);
  }
}

function copiedSection() {
  const names = { curl: "curl", event: "event JSON", pytest: "pytest test" };
  const close = make("button", { type: "button", onclick: () => { copied = null; renderRequest(); } }, "Close");
  return make("section", { class: "section", id: "copied" },
    make("h3", {}, `Copied as ${names[copied.kind]}`, close),
    make("div", { class: "panel-body", tabIndex: 0, role: "region", "aria-label": "Copied text" }, make("pre", {}, copied.text)));
}

function actions(view) {
  const button = (id, text, onclick, name = "") => make("button", { type: "button", id, class: name, onclick }, text);
  const select = make("select", { id: "behind", "aria-label": "Source of the replay" });
  for (const source of hello.sources) select.append(make("option", { value: source }, source));
  const other = hello.sources.find((source) => source !== view.summary.source);
  select.value = (byId("behind") || {}).value || other;
  if (view.summary.connection) {
    return make("div", { class: "actions" },
      button("copy-event", "Copy event", () => copy("event")),
      view.hasSecrets && !withSecrets ? button("secrets", "Show secrets", showSecrets) : null);
  }
  return make("div", { class: "actions" },
    button("replay", "Replay", replayAndOpen, "primary"),
    make("span", { class: "group" }, select, button("compare", "Replay behind", replayAndCompare)),
    button("copy-curl", "Copy as curl", () => copy("curl")),
    button("copy-event", "Copy event", () => copy("event")),
    button("copy-pytest", "Copy as test", () => copy("pytest")),
    view.hasSecrets && !withSecrets ? button("secrets", "Show secrets", showSecrets) : null);
}

function heading(view) {
  const { summary } = view;
  const facts = [`#${summary.number}`, new Date(summary.started * 1000).toLocaleTimeString(), summary.source];
  if (summary.function && summary.function !== "bridge") facts.push(summary.function);
  if (summary.isOver) facts.push(`${bytes(summary.size)} ${summary.encoding === "-" ? "" : summary.encoding}`.trim());
  if (summary.connection) facts.push(`connection ${summary.connection}`);
  if (view.requestId) facts.push(`request ID ${view.requestId}`);
  if (summary.process) {
    facts.push(`process ${summary.process.number}${summary.process.is_cold_start ? ", cold start" : ""}, waited ${milliseconds(summary.process.waited)}`);
  }
  const line = make("p", { class: "facts" }, ...facts.map((text) => make("span", {}, text)));
  if (summary.replayOf) line.append(make("a", { href: `#${summary.replayOf}` }, `Replay of #${summary.replayOf}`));
  const keys = make("p", { class: "keys" });
  for (const [part, seconds] of timeParts(summary)) {
    keys.append(make("span", { class: `key ${part}` }, `${part} `, make("b", {}, milliseconds(seconds))));
  }
  keys.append(make("span", {}, "total ", make("b", {}, summary.isOver ? milliseconds(summary.seconds) : "in flight")));
  const bar = timeBar(summary);
  return [
    make("a", { class: "back", href: "#" }, "← All requests"),
    make("h2", {}, statusTag(summary), ` ${summary.method} ${summary.target}`),
    line, bar, keys,
  ];
}

async function renderRequest() {
  const view = shown;
  const parts = [...heading(view), actions(view)];
  if (copied && copied.number === view.summary.number) parts.push(copiedSection());
  if (comparison) {
    try {
      parts.push(await differencesSection(view));
    } catch (error) {
      say(error.message);
    }
  }
  parts.push(whySection(view));
  if (view.summary.encoding === "stream") parts.push(chunksSection(view));
  if (view.summary.connection) parts.push(messagesSection(view));
  const journey = make("div", { class: "journey" });
  const names = view.summary.connection ? CONNECTION_PANELS[view.summary.method] || CONNECTION_PANELS.POST : {};
  for (const [name, title, subtitle] of PANELS) journey.append(panel(name, ...(names[name] || [title, subtitle]), view));
  parts.push(journey);
  if (view.limits.length > 0) parts.push(limitsSection(view));
  if (shown !== view) return; // another request was selected meanwhile
  const focused = document.activeElement && document.activeElement.id;
  const scrolled = byId("detail").scrollTop;
  byId("detail").replaceChildren(...parts);
  byId("detail").scrollTop = scrolled;
  if (focused && byId(focused)) byId(focused).focus({ preventScroll: true });
}

async function showRequest(number) {
  try {
    const response = await load(`api/requests/${number}${withSecrets ? "?secrets=1" : ""}`);
    const view = await response.json();
    if (selected() !== number) return;
    shown = view;
    await renderRequest();
  } catch (error) {
    shown = null;
    byId("detail").replaceChildren(make("div", { class: "welcome" }, make("a", { class: "back", href: "#" }, "← All requests"), make("h2", {}, "Not here"), make("p", {}, error.message)));
  }
}

// --- processes

function stateOverTime() {
  const states = new Map();
  return processes.map((event) => {
    const key = `${event.function} ${event.number}`;
    if (event.state === "ended") states.delete(key);
    else states.set(key, event.in_flight);
    return { time: event.time, processes: states.size, inFlight: [...states.values()].reduce((sum, each) => sum + each, 0) };
  });
}

function stepPath(points, x, y, value, end) {
  let path = "";
  let last = null;
  for (const point of points) {
    path += path ? `H${x(point.time)}V${y(value(point))}` : `M${x(point.time)} ${y(value(point))}`;
    last = point;
  }
  return last ? `${path}H${x(end)}` : "";
}

function renderProcesses() {
  const points = stateOverTime();
  const parts = [make("a", { class: "back", href: "#" }, "← All requests"), make("h2", {}, "Processes")];
  if (points.length > 0) {
    const start = points[0].time;
    const end = Math.max(points[points.length - 1].time, start + 1);
    const highest = Math.max(1, ...points.map((point) => Math.max(point.processes, point.inFlight)));
    const x = (time) => 30 + ((time - start) / (end - start)) * 960;
    const y = (count) => 130 - (count / highest) * 112;
    const colds = processes.filter((event) => event.state === "starting");
    const most = Math.max(...points.map((point) => point.inFlight));
    const mostProcesses = Math.max(...points.map((point) => point.processes));
    const label = `${count(colds.length, "cold start")}; at most ${mostProcesses} process${mostProcesses === 1 ? "" : "es"} and ${count(most, "request")} at once`;
    const chart = makeSvg("svg", { class: "chart", viewBox: "0 0 1000 156", role: "img", "aria-label": label });
    for (let count = 0; count <= highest; count += Math.max(1, Math.ceil(highest / 4))) {
      chart.append(makeSvg("line", { class: "grid", x1: 30, x2: 990, y1: y(count), y2: y(count) }),
        makeSvg("text", { x: 22, y: y(count) + 4, "text-anchor": "end" }, String(count)));
    }
    const busy = stepPath(points, x, y, (point) => point.inFlight, end);
    chart.append(makeSvg("path", { class: "area", d: `${busy}V${y(0)}H${x(start)}Z` }), makeSvg("path", { class: "edge", d: busy }),
      makeSvg("path", { class: "count-line", d: stepPath(points, x, y, (point) => point.processes, end) }));
    for (const event of colds) chart.append(makeSvg("circle", { class: "cold", cx: x(event.time), cy: y(0), r: 4 }));
    for (const [time, anchor] of [[start, "start"], [end, "end"]]) {
      chart.append(makeSvg("text", { x: x(time), y: 152, "text-anchor": anchor }, new Date(time * 1000).toLocaleTimeString()));
    }
    parts.push(make("section", { class: "section", id: "plot" }, make("h3", {}, "Concurrency", make("span", { class: "quiet" }, label)),
      make("div", { class: "padded" }, chart, make("p", { class: "legend" },
        make("span", {}, make("i"), "requests at once"), make("span", {}, make("i", { class: "dashed" }), "processes"),
        make("span", {}, make("i", { class: "dot" }), "cold start")))));
  }
  const latest = new Map();
  for (const event of processes) {
    const key = `${event.function} ${event.number}`;
    const before = latest.get(key) || { started: event.time, up: null, invocations: 0, in_flight: 0 };
    const more = Math.max(event.in_flight - before.in_flight, 0);
    const up = before.up === null && event.state === "up" ? event.time : before.up;
    latest.set(key, { ...event, started: before.started, up, invocations: before.invocations + more });
  }
  const body = make("tbody");
  for (const event of [...latest.values()].reverse()) {
    const start = event.up === null ? "–" : milliseconds(event.up - event.started);
    body.append(make("tr", {}, make("td", {}, event.function), make("td", { class: "number" }, String(event.number)),
      make("td", { class: "number" }, event.pid ? String(event.pid) : "–"),
      make("td", {}, event.state === "ended" ? `ended: ${event.reason}` : event.in_flight ? `answers ${event.in_flight}` : event.state === "up" ? "free" : event.state),
      make("td", { class: "number" }, start), make("td", { class: "number" }, String(event.invocations))));
  }
  const head = make("tr", {}, make("th", { scope: "col" }, "Function"), make("th", { class: "number", scope: "col" }, "Process"),
    make("th", { class: "number", scope: "col" }, "PID"), make("th", { scope: "col" }, "State"),
    make("th", { class: "number", scope: "col" }, "Cold start"), make("th", { class: "number", scope: "col" }, "Requests"));
  parts.push(make("section", { class: "section" }, make("div", { class: "table-scroll", tabIndex: 0, role: "region", "aria-label": "Processes" }, make("table", {}, make("thead", {}, head), body))));
  byId("detail").replaceChildren(...parts);
}

// --- connections of a WebSocket API

function connections() {
  const found = new Map();
  for (const summary of [...requests.values()].sort((one, other) => one.number - other.number)) {
    if (!summary.connection) continue;
    const connection = found.get(summary.connection) ||
      { id: summary.connection, first: summary, state: "", received: 0, sent: 0, code: null };
    found.set(summary.connection, connection);
    if (summary.method === "CONNECT") connection.state = summary.status === 101 ? "open" : summary.isOver ? "refused" : "opening";
    else if (summary.method === "MESSAGE") connection.received += 1;
    else if (summary.method === "POST" && summary.status === 200) connection.sent += 1;
    else if (summary.method === "DISCONNECT") [connection.state, connection.code] = ["closed", summary.status];
  }
  return [...found.values()].reverse();
}

function renderConnections() {
  const body = make("tbody");
  for (const connection of connections()) {
    body.append(make("tr", {}, make("td", { class: "code" }, make("a", { href: `#${connection.first.number}` }, connection.id)),
      make("td", { class: "code" }, connection.first.method === "CONNECT" ? connection.first.target : "–"),
      make("td", {}, new Date(connection.first.started * 1000).toLocaleTimeString()),
      make("td", {}, connection.code === null ? connection.state || "–" : `closed: ${connection.code}`),
      make("td", { class: "number" }, String(connection.received)), make("td", { class: "number" }, String(connection.sent))));
  }
  const head = make("tr", {}, ...["Connection", "Address", "Since", "State"].map((text) => make("th", { scope: "col" }, text)),
    make("th", { class: "number", scope: "col" }, "Received"), make("th", { class: "number", scope: "col" }, "Sent"));
  byId("detail").replaceChildren(make("a", { class: "back", href: "#" }, "← All requests"), make("h2", {}, "Connections"),
    make("section", { class: "section", id: "connections" }, make("div", { class: "table-scroll", tabIndex: 0, role: "region", "aria-label": "Connections" },
      make("table", {}, make("thead", {}, head), body))));
}

// --- navigation

function selected() {
  const number = Number(location.hash.slice(1));
  return Number.isInteger(number) && number > 0 ? number : null;
}

function renderWelcome() {
  byId("detail").replaceChildren(make("div", { class: "welcome" },
    make("h2", {}, "Select a request"),
    make("p", {}, "Each request to the front door is in the list as it comes. Select one to see what it became on its way: the event, what the application got and answered, the payload, the HTTP response, and why."),
    make("p", {}, make("kbd", {}, "↑"), " ", make("kbd", {}, "↓"), " move in the list, ", make("kbd", {}, "Enter"), " opens, ", make("kbd", {}, "/"), " searches, ", make("kbd", {}, "Esc"), " goes back to the list.")));
}

function navigate() {
  const number = selected();
  const isSame = shown && shown.summary.number === number;
  document.body.dataset.view = location.hash.length > 1 && location.hash !== "#list" ? "detail" : "list";
  for (const [each, row] of rows) row.firstChild.setAttribute("aria-current", String(each === number));
  if (!isSame) {
    withSecrets = false;
    comparison = null;
    copied = null;
    shown = null;
    byId("detail").scrollTop = 0;
  }
  document.title = number ? `#${number} – bridge inspector` : "bridge inspector";
  if (number) showRequest(number);
  else if (location.hash === "#processes") renderProcesses();
  else if (location.hash === "#connections") renderConnections();
  else renderWelcome();
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "Escape") {
    const link = rows.get(selected());
    if (event.target === byId("search") && byId("search").value) {
      byId("search").value = "";
      updateList();
    } else if (document.body.dataset.view === "detail" && matchMedia("(max-width: 860px)").matches) {
      location.hash = "";
    } else if (link && !link.hidden) link.firstChild.focus();
    else (visibleLinks()[0] || byId("search")).focus();
  } else if (event.key === "ArrowDown" && event.target === byId("search")) {
    event.preventDefault();
    const [first] = visibleLinks();
    if (first) first.focus();
  } else if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) && byId("list").contains(event.target)) {
    event.preventDefault();
    const links = visibleLinks();
    const position = links.indexOf(event.target.closest("a"));
    const next = { ArrowDown: position + 1, ArrowUp: position - 1, Home: 0, End: links.length - 1 }[event.key];
    if (links[next]) links[next].focus();
    else if (next < 0) byId("search").focus();
  }
});
window.addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload();
  else navigate();
});
byId("search").addEventListener("input", updateList);
byId("filter").addEventListener("change", updateList);
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", async () => {
  try {
    await post("api/clear", {});
    removeBefore(Infinity);
    updateList();
    location.hash = "";
    say("Cleared.");
  } catch (error) {
    say(error.message);
  }
});

// --- news

function setProcesses(events) {
  processes = events;
  byId("processes-link").hidden = events.length === 0;
  if (location.hash === "#processes") renderProcesses();
}

const events = new EventSource(`events?token=${token}`);
events.addEventListener("hello", (event) => {
  hello = JSON.parse(event.data);
  byId("connection").textContent = "Live";
  byId("connection").dataset.state = "live";
  byId("served").textContent = hello.isWorking ? `${hello.description} at ${hello.url}` : hello.description;
  removeBefore(Infinity);
  hello.requests.forEach(addSummary);
  for (const row of rows.values()) row.firstChild.classList.remove("new");
  setProcesses(hello.processes);
  updateList();
  navigate();
});
events.addEventListener("news", (event) => {
  const news = JSON.parse(event.data);
  removeBefore(news.oldest);
  news.requests.forEach(addSummary);
  if (news.processes) setProcesses(news.processes);
  updateList();
  const number = selected();
  for (const [each, row] of rows) row.firstChild.setAttribute("aria-current", String(each === number));
  const connection = shown && shown.summary.connection;
  if (news.requests.some((summary) => summary.number === number || (connection && summary.connection === connection))) {
    showRequest(number);
  }
  if (location.hash === "#connections") renderConnections();
});
events.addEventListener("error", () => {
  const isRefused = events.readyState === EventSource.CLOSED;
  byId("connection").textContent = isRefused ? "No access: open the address that bridge serve prints" : "Reconnecting";
  byId("connection").dataset.state = "lost";
});
