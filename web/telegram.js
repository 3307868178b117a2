// The page of `parley sim telegram`: what a person sees of a bot, and does.
"use strict";

const $ = (id) => document.getElementById(id);
const state = { bots: [], users: [], last: 0 };

async function get(path) {
  const r = await fetch("sim/" + path);
  return r.json();
}

async function post(path, body) {
  const r = await fetch("sim/" + path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const answer = await r.json();
  $("notice").hidden = r.ok;
  $("notice").textContent = r.ok ? "" : answer.error;
  return r.ok ? answer : null;
}

const bot = () => $("bot").value;
const person = () => Number($("person").value);
const here = () => ({ bot: bot(), user: person() });

// --- entities -------------------------------------------------------------------------------------

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote",
  expandable_blockquote: "blockquote",
};

function wrap(entity, inside) {
  if (entity.type === "text_link" || entity.type === "url") {
    const a = document.createElement("a");
    a.href = entity.url || inside.textContent;
    a.target = "_blank";
    a.rel = "noreferrer";
    a.append(inside);
    return a;
  }
  const element = document.createElement(TAGS[entity.type] || "span");
  if (entity.type === "spoiler") { element.className = "spoiler"; element.tabIndex = 0; }
  if (entity.type === "bot_command") {
    element.setAttribute("role", "link");
    element.addEventListener("click", () => send({ text: element.textContent }));
  }
  element.append(inside);
  return element;
}

// Offsets are UTF-16 code units, as those of JavaScript's strings. Entities lie beside or inside one another.
function render(text, entities, from, to) {
  const out = document.createDocumentFragment();
  let at = from;
  const sorted = entities.filter((e) => e.offset >= from && e.offset + e.length <= to)
    .sort((a, b) => a.offset - b.offset || b.length - a.length);
  for (let i = 0; i < sorted.length; i++) {
    const e = sorted[i];
    if (e.offset < at) continue; // inside one that was rendered with what is in it
    out.append(text.slice(at, e.offset));
    const inner = sorted.slice(i + 1).filter((o) => o.offset + o.length <= e.offset + e.length);
    out.append(wrap(e, render(text, inner, e.offset, e.offset + e.length)));
    at = e.offset + e.length;
  }
  out.append(text.slice(at, to));
  return out;
}

// --- messages -------------------------------------------------------------------------------------

const KINDS = ["photo", "voice", "audio", "video", "document", "sticker", "animation", "location", "contact", "poll"];

// The file of a message, in its largest size.
function fileOf(message) {
  const kind = KINDS.find((k) => message[k]);
  const value = kind && (Array.isArray(message[kind]) ? message[kind].at(-1) : message[kind]);
  return value && value.file_id ? { kind, name: value.file_name, href: "sim/file?id=" + encodeURIComponent(value.file_id) } : null;
}

// A picture as such, what else there is to be downloaded; a picture that the browser cannot show, too.
function attachment(message, file) {
  const link = document.createElement("a");
  link.href = file.href;
  link.download = file.name || file.kind;
  link.textContent = describe(message);
  if (file.kind !== "photo") return link;
  const image = document.createElement("img");
  image.src = file.href;
  image.alt = describe(message);
  image.addEventListener("error", () => image.replaceWith(link));
  return image;
}

function describe(message) {
  const kind = KINDS.find((k) => message[k]);
  if (!kind) return "";
  const value = Array.isArray(message[kind]) ? message[kind][0] : message[kind];
  return `[${kind}${value.file_name ? " " + value.file_name : ""}${value.question ? " " + value.question : ""}]`;
}

function button(message, b) {
  if (b.url) {
    const a = document.createElement("a");
    a.href = b.url;
    a.target = "_blank";
    a.rel = "noreferrer";
    a.textContent = b.text;
    return a;
  }
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = b.text;
  element.addEventListener("click", () => post("press", {
    ...here(), message_id: message.message_id, data: b.callback_data,
  }));
  return element;
}

function rows(list, make) {
  const out = document.createElement("div");
  out.className = "rows";
  for (const row of list) {
    const line = document.createElement("div");
    line.className = "row";
    line.append(...row.map(make));
    out.append(line);
  }
  return out;
}

function show(message, reactions) {
  const element = document.createElement("article");
  element.className = "message" + (message.from && message.from.is_bot ? "" : " mine");
  element.dataset.id = message.message_id;
  const bubble = document.createElement("div");
  bubble.className = "bubble";
  if (message.reply_to_message) {
    const quote = document.createElement("div");
    quote.className = "reply";
    quote.textContent = message.reply_to_message.text || describe(message.reply_to_message);
    bubble.append(quote);
  }
  const kind = describe(message), file = fileOf(message);
  if (kind) bubble.append(file ? attachment(message, file) : kind, " ");
  const text = message.text || message.caption || "";
  bubble.append(render(text, message.entities || message.caption_entities || [], 0, text.length));
  element.append(bubble);
  const markup = message.reply_markup && message.reply_markup.inline_keyboard;
  if (markup) element.append(rows(markup, (b) => button(message, b)));
  const meta = document.createElement("div");
  meta.className = "meta";
  const signs = (reactions || []).map((r) => r.emoji || "★").join("");
  meta.textContent = `${message.message_id}${message.edit_date ? " · edited" : ""}${signs ? " · " + signs : ""}`;
  element.append(meta);
  return element;
}

// What the press of a keyboard's button sends: its text, or what it asks for.
function answerOf(b) {
  const me = state.users.find((u) => u.id === person());
  if (b.request_contact) {
    return { contact: { phone_number: "+380441234567", first_name: me.first_name, user_id: me.id } };
  }
  if (b.request_location) return { location: { latitude: 50.45, longitude: 30.52 } };
  return { text: typeof b === "string" ? b : b.text };
}

function showKeyboard(keyboard) {
  $("keyboard").hidden = !keyboard;
  $("keyboard").replaceChildren();
  if (!keyboard) return;
  $("keyboard").append(rows(keyboard.keyboard, (b) => {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = typeof b === "string" ? b : b.text;
    element.addEventListener("click", () => send(answerOf(b)));
    return element;
  }));
}

async function refresh() {
  const { messages, keyboard, reactions } = await get(`messages?bot=${encodeURIComponent(bot())}&chat=${person()}`);
  $("log").replaceChildren(...messages.map((m) => show(m, reactions[m.message_id])));
  $("log").scrollTop = $("log").scrollHeight;
  showKeyboard(keyboard);
}

function base64(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => failed(reader.error));
    reader.readAsDataURL(file);
  });
}

function send(what) { return post("send", { ...here(), ...what }); }

// --- commands -------------------------------------------------------------------------------------

function commands() {
  const known = state.bots.find((b) => b.user.username === bot());
  const language = (state.users.find((u) => u.id === person()) || {}).language_code;
  const all = (known && known.commands) || {};
  return all[`all_private_chats||${language}`] || all["all_private_chats||"]
    || all[`default||${language}`] || all["default||"] || [];
}

function suggest() {
  const begun = $("text").value;
  const fitting = begun.startsWith("/") ? commands().filter((c) => ("/" + c.command).startsWith(begun)) : [];
  $("commands").hidden = fitting.length === 0;
  $("commands").replaceChildren(...fitting.map((c) => {
    const item = document.createElement("li");
    const element = document.createElement("button");
    const about = document.createElement("span");
    element.type = "button";
    about.textContent = " " + c.description;
    element.append("/" + c.command, about);
    element.addEventListener("click", () => {
      $("text").value = "";
      suggest();
      send({ text: "/" + c.command });
    });
    item.append(element);
    return item;
  }));
}

// --- the page -------------------------------------------------------------------------------------

function options(select, list, value, label) {
  const before = select.value;
  select.replaceChildren(...list.map((x) => new Option(label(x), value(x))));
  if (list.some((x) => String(value(x)) === before)) select.value = before;
}

async function load() {
  Object.assign(state, await get("state"));
  options($("person"), state.users, (u) => u.id, (u) => `${u.first_name} (${u.language_code})`);
  options($("bot"), state.bots, (b) => b.user.username, (b) => "@" + b.user.username);
}

let forget;
function say(text) {
  $("action").textContent = text;
  clearTimeout(forget);
  forget = setTimeout(() => { $("action").textContent = ""; }, 5000);
}

async function watch() {
  let after = state.last_event;
  for (;;) {
    try {
      const { events, last } = await get(`events?after=${after}&timeout=25`);
      after = last;
      if (events.some((e) => e.type === "commands")) await load();
      for (const e of events) {
        if (e.chat_id !== person()) continue;
        if (e.type === "action") say("the bot is " + e.action.replace("_", " ") + " …");
        if (e.type === "callback_answer") say(e.text || "the bot has answered the button");
      }
      if (events.some((e) => e.chat_id === person() && e.type !== "action")) await refresh();
    } catch {
      say("the simulator is gone; trying again …");
      await new Promise((done) => { setTimeout(done, 1000); });
    }
  }
}

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  const file = $("file").files[0];
  if (file) {
    const kind = /^image\/(png|jpeg|gif|webp)$/.test(file.type) ? "photo" : "document";
    const given = { file_name: file.name, mime_type: file.type || undefined, base64: await base64(file) };
    await send({ [kind]: given, caption: text || undefined });
  } else if (text) {
    await send({ text });
  }
  $("text").value = $("file").value = "";
  suggest();
});
$("text").addEventListener("input", suggest);
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  $("say").requestSubmit();
});
$("add-person").addEventListener("click", async () => {
  const user = await post("users", { first_name: "Person " + (state.users.length + 1) });
  await load();
  $("person").value = user.id;
  refresh();
});
$("block").addEventListener("change", () => post("block", { ...here(), blocked: $("block").checked }));
$("person").addEventListener("change", refresh);
$("bot").addEventListener("change", refresh);

load().then(refresh).then(watch);
