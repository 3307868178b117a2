// The chat page: a client of the public API like any other. It keeps a token, a user and a dialog,
// sends what is typed and shows what comes back, with the trace of each turn.
"use strict";

const $ = (id) => document.getElementById(id);
const POLL_MS = 3000; // for what comes by itself: reminders
const TIMEOUT_MS = 60000;

// --- what is remembered ------------------------------------------------------------------------

function stored(area, key, make) {
  let value = area.getItem(key);
  if (!value) {
    value = make();
    if (value) area.setItem(key, value);
  }
  return value;
}

function id(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return prefix + Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

// A token comes in the fragment, which no server sees, and leaves the address bar at once.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  sessionStorage.setItem("parley.token", given);
  history.replaceState(null, "", location.pathname + location.search);
}

const user = () => stored(localStorage, "parley.user", () => id("web-"));
const dialog = () => stored(localStorage, "parley.dialog", () => id("web-"));
const token = () => sessionStorage.getItem("parley.token");

// --- the API -----------------------------------------------------------------------------------

class ApiError extends Error {
  constructor(status, problem, headers) {
    super((problem && problem.detail) || "HTTP " + status);
    this.status = status;
    this.problem = problem || {};
    this.retryAfter = (headers && headers.get("Retry-After")) || 1;
  }
}

async function api(method, path, body) {
  let response;
  try {
    response = await fetch("/api/v1/dialogs/" + encodeURIComponent(dialog()) + path, {
      method,
      headers: Object.assign({ "X-Bot-Token": token() || "" }, body && { "Content-Type": "application/json" }),
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (e) {
    throw new ApiError(0);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer, response.headers);
  return answer;
}

// An error in words that say what to do.
function words(error, offline) {
  const problem = error.problem || {};
  const trace = problem.trace_id || "-";
  switch (error.status) {
    case 0: case undefined: return t(offline || "offline");
    case 401: return t("unauthorized");
    case 403: return t("forbidden", { detail: problem.detail || "" });
    case 429: return t("busy", { seconds: error.retryAfter });
    case 413: return t("too_long");
  }
  if (error.status >= 500) return t("server", { status: error.status, trace });
  return t("refused", { detail: problem.detail || problem.title || error.status, trace });
}

function notice(text) {
  $("notice").textContent = text || "";
  $("notice").hidden = !text;
}

// --- what is shown -----------------------------------------------------------------------------

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

function append(node) {
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  log.append(node);
  if (atEnd) log.scrollTop = log.scrollHeight;
  return node;
}

const TAGS = {
  bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "code", spoiler: "span",
};

// Text with entities: offsets are UTF-16 code units, which is what JavaScript counts.
function formatted(action) {
  const text = action.text || "";
  const entities = action.format === "entities" ? [...(action.entities || [])] : [];
  entities.sort((a, b) => a.offset - b.offset);
  const out = document.createDocumentFragment();
  let at = 0;
  for (const entity of entities) {
    if (entity.offset < at || entity.offset + entity.length > text.length) continue;
    out.append(text.slice(at, entity.offset));
    const piece = text.slice(entity.offset, entity.offset + entity.length);
    if (entity.type === "text_link" && /^https?:\/\//.test(entity.url)) {
      const a = element("a", "", piece);
      a.href = entity.url;
      a.rel = "noopener noreferrer nofollow";
      a.target = "_blank";
      out.append(a);
    } else {
      out.append(element(TAGS[entity.type] || "span", "", piece));
    }
    at = entity.offset + entity.length;
  }
  out.append(text.slice(at));
  return out;
}

function buttons(rows, ofMenu) {
  const box = element("div", "buttons");
  for (const button of rows.flat()) {
    if (button.url) {
      const a = element("a", "", button.text);
      a.href = button.url;
      a.rel = "noopener noreferrer nofollow";
      a.target = "_blank";
      box.append(a);
      continue;
    }
    const b = element("button", "", button.text);
    b.type = "button";
    b.addEventListener("click", () => press(button, ofMenu));
    box.append(b);
  }
  return box;
}

function showMine(text, pending) {
  const message = element("div", "message mine" + (pending ? " pending" : ""));
  message.append(element("div", "bubble", text));
  return append(message);
}

let menu = []; // what shows the dialog's menu, of which there is one

function dropMenu() {
  for (const node of menu) {
    const message = node.parentNode;
    node.remove();
    if (message && !message.querySelector(".bubble")) message.remove();
  }
  menu = [];
}

function showMenu(action, nodes, message, trace) {
  if (action.menu.edit && menu.length) {
    const there = menu[0].parentNode;
    menu[0].before(...nodes);
    const old = there.querySelector(".trace");
    if (old && trace) old.replaceWith(trace);
  } else {
    message.append(...nodes);
  }
  dropMenu();
  menu = nodes;
}

function shown(action) {
  const bubble = element("div", "bubble");
  bubble.append(formatted(action));
  const rows = action.buttons || (action.keyboard && action.keyboard.rows);
  return rows && rows.length ? [bubble, buttons(rows, Boolean(action.menu))] : [bubble];
}

function showActions(actions, trace, silent) {
  const message = element("div", "message");
  for (const action of actions) {
    if (action.type === "menu") dropMenu();
    if (action.type === "answer_callback" && action.text) message.append(element("div", "bubble hint", action.text));
    if (action.type !== "send" && action.type !== "edit") continue;
    if (action.menu) showMenu(action, shown(action), message, trace);
    else message.append(...shown(action));
  }
  if (!message.firstChild && !silent) message.append(element("div", "bubble hint", t("no_reply")));
  if (!message.firstChild) return null;
  if (trace) message.append(trace);
  return append(message);
}

const round = (ms) => (ms < 10 ? ms.toFixed(1) : Math.round(ms));

// Who answered, why, and how long it took.
function traceOf(reply) {
  const parts = [];
  if (reply.plugin) parts.push(t("plugin", { name: reply.plugin.name }));
  else if (reply.status === "answered") parts.push(t("rules"));
  if (reply.status === "fallback" || reply.status === "failed") parts.push(t(reply.status));
  if (reply.intent && reply.intent.name) {
    parts.push(t("intent", {
      name: reply.intent.name, percent: Math.round(reply.intent.confidence * 100), source: reply.intent.source,
    }));
  }
  parts.push(t("took", { total: round(reply.latency_ms.total), plugin: round(reply.latency_ms.plugin) }));
  const line = element("div", "trace", parts.join(" · "));
  line.title = "trace_id " + reply.trace_id;
  return line;
}

function showTyping() {
  const message = element("div", "message typing");
  const bubble = element("div", "bubble");
  bubble.append(element("i"), element("i"), element("i"));
  message.append(bubble);
  return append(message);
}

// --- conversation ------------------------------------------------------------------------------

const seen = new Set(); // ids of messages that are shown
let running = 0;

async function exchange(message, mine, offline, silent) {
  message.user = { external_id: user() };
  message.locale = LANGUAGE;
  message.channel = "web";
  running++;
  const typing = showTyping();
  try {
    const reply = await api("POST", "/messages", message);
    notice("");
    localStorage.setItem("parley.begun", dialog());
    mine.classList.remove("pending");
    if (reply.reply_message_id) seen.add(reply.reply_message_id);
    typing.remove();
    showActions(reply.actions, traceOf(reply), silent);
  } catch (error) {
    typing.remove();
    mine.classList.remove("pending");
    mine.classList.add("failed");
    notice(words(error, offline));
    if (error.status === 401) askToken();
    throw error;
  } finally {
    running--;
  }
}

async function say(text) {
  const input = $("text");
  const mine = showMine(text, true);
  // The same message_id again is the same message: a retry cannot say it twice.
  const message_id = input.dataset.retry === text ? input.dataset.id : id("m-");
  input.value = "";
  resize();
  try {
    await exchange({ type: "text", text, message_id }, mine);
    delete input.dataset.retry;
  } catch (error) {
    if (!input.value) input.value = text;
    input.dataset.retry = text;
    input.dataset.id = message_id;
    mine.remove();
    resize();
  }
}

// Pressed again after a failure it is the same press, with the same id. A menu shows itself what a
// press has done.
async function press(button, ofMenu) {
  const mine = ofMenu ? element("div") : showMine(button.text, true);
  button.id = button.id || id("m-");
  const message = button.data
    ? { type: "callback", payload: { plugin: button.plugin, data: button.data } }
    : { type: "text", text: button.text };
  try {
    await exchange(Object.assign(message, { message_id: button.id }), mine, "offline_press", ofMenu);
    button.id = null;
  } catch (error) {
    mine.remove();
  }
}

function showStored(message) {
  if (seen.has(message.id)) return;
  seen.add(message.id);
  const payload = message.payload || {};
  const press = payload.type === "callback" && payload.payload && payload.payload.plugin;
  if (message.sender_type === "user") {
    if (!press || !press.includes("#")) showMine(payload.text || "▣"); // NAME#MARK: of a menu
  } else if (payload.actions && payload.actions.length) {
    const trace = payload.plugin && element("div", "trace", t("plugin", { name: payload.plugin }));
    showActions(payload.actions, trace, true);
  }
}

// Nobody but this page writes in its dialog: before its first message there is nothing to ask for.
const begun = () => localStorage.getItem("parley.begun") === dialog();

async function load() {
  if (!begun()) return append(element("p", "hint", t("hint")));
  try {
    const snapshot = await api("GET", "?limit=50");
    if (snapshot.next_cursor) append(element("p", "hint", t("older")));
    snapshot.messages.forEach(showStored);
    $("log").scrollTop = $("log").scrollHeight;
  } catch (error) {
    notice(words(error));
    if (error.status === 401) askToken();
  }
}

// Replies that nobody has waited for. A reply to a message of this page is shown by its own request.
async function poll() {
  if (document.hidden || running > 0 || !begun() || !token() || $("ask-token").open) return;
  try {
    const snapshot = await api("GET", "?limit=20");
    if (running > 0) return;
    for (const message of snapshot.messages) {
      if (message.sender_type === "user") seen.add(message.id);
      else showStored(message);
    }
  } catch (error) { /* the next message says what is wrong */ }
}

async function reset() {
  try {
    if (begun()) await api("POST", "/reset", {});
    notice("");
  } catch (error) {
    return notice(words(error));
  }
  $("log").replaceChildren();
  menu = [];
  append(element("p", "hint", t("started_over")));
  $("text").focus();
}

// --- controls ----------------------------------------------------------------------------------

function askToken() {
  if (!$("ask-token").open) $("ask-token").showModal();
}

function resize() {
  const input = $("text");
  input.style.height = "auto";
  input.style.height = input.scrollHeight + 2 + "px";
}

function submit(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text) say(text);
  $("text").focus();
}

function start() {
  document.documentElement.lang = LANGUAGE;
  for (const e of document.querySelectorAll("[data-text]")) e.textContent = t(e.dataset.text);
  for (const e of document.querySelectorAll("[data-placeholder]")) e.placeholder = t(e.dataset.placeholder);
  takeToken();
  $("say").addEventListener("submit", submit);
  $("text").addEventListener("input", resize);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  });
  $("reset").addEventListener("click", reset);
  $("show-trace").addEventListener("change", (event) => {
    document.body.classList.toggle("no-trace", !event.target.checked);
  });
  $("token-form").addEventListener("submit", () => {
    sessionStorage.setItem("parley.token", $("token").value.trim());
    $("token").value = "";
    notice("");
    $("log").replaceChildren();
    menu = [];
    seen.clear();
    load();
  });
  if (token()) load();
  else askToken();
  setInterval(poll, POLL_MS);
  $("text").focus();
}

start();
