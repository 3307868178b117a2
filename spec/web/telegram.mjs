// The page of the simulated Telegram in a real browser: node telegram.mjs URL TOKEN [SCREENSHOT]. Prints one JSON
// line: {"problems": [...]}. TOKEN is the bot's, whose part is played here.
import { chromium } from "playwright-core";

const [url, token, screenshot] = process.argv.slice(2);
const problems = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"],
});
const page = await (await browser.newContext({ viewport: { width: 760, height: 700 } })).newPage();
page.setDefaultTimeout(10000);
page.on("console", (m) => { if (m.type() === "error") problems.push("console: " + m.text()); });
page.on("pageerror", (e) => problems.push(String(e)));

async function call(method, params) {
  const r = await fetch(`${url}/bot${token}/${method}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(params || {}),
  });
  const reply = await r.json();
  if (!reply.ok) throw new Error(`${method}: ${reply.description}`);
  return reply.result;
}

let offset = 0;
async function next() { // update
  for (;;) {
    const [update] = await call("getUpdates", { offset, timeout: 5, limit: 1 });
    if (!update) throw new Error("there is no update");
    offset = update.update_id + 1;
    return update;
  }
}

function equal(actual, expected, what) {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  }
}

try {
  await call("setMyCommands", { commands: [{ command: "menu", description: "what there is" }] });
  await page.goto(url + "/");
  await page.locator("#person option").first().waitFor({ state: "attached" });
  await page.fill("#text", "/me");
  await page.locator("#commands button").click();
  const chat = (await next()).message.chat.id;
  await call("sendChatAction", { chat_id: chat, action: "typing" });
  await page.getByText("the bot is typing").waitFor();
  const sent = await call("sendMessage", {
    chat_id: chat, text: "Tea & <b>cake</b> 😀 hidden", entities: [
      { type: "bold", offset: 0, length: 3 }, { type: "spoiler", offset: 21, length: 6 },
    ],
    reply_markup: { inline_keyboard: [[{ text: "Order", callback_data: "order:1" }]] },
  });
  const bubble = page.locator(`[data-id="${sent.message_id}"] .bubble`);
  await bubble.waitFor();
  equal(await bubble.textContent(), "Tea & <b>cake</b> 😀 hidden", "text");
  equal(await bubble.locator("b").textContent(), "Tea", "bold");
  equal(await bubble.locator(".spoiler").textContent(), "hidden", "spoiler");
  await page.getByRole("button", { name: "Order" }).click();
  const query = (await next()).callback_query;
  equal(query.data, "order:1", "data of the button");
  await call("answerCallbackQuery", { callback_query_id: query.id, text: "ordered" });
  await page.getByText("ordered").waitFor();
  await call("editMessageText", { chat_id: chat, message_id: sent.message_id, text: "Thank you" });
  await page.getByText("Thank you").waitFor();
  await call("setMessageReaction", { chat_id: chat, message_id: sent.message_id, reaction: [{ type: "emoji", emoji: "👍" }] });
  await page.locator(`[data-id="${sent.message_id}"]`).getByText("👍").waitFor();
  const phone = { text: "My number", request_contact: true };
  await call("sendMessage", { chat_id: chat, text: "?", reply_markup: { keyboard: [["Yes"], [phone], [{ text: "Here", request_location: true }]] } });
  await page.locator("#keyboard button").first().click();
  equal((await next()).message.text, "Yes", "the keyboard's button");
  await page.getByRole("button", { name: "My number" }).click();
  equal((await next()).message.contact.user_id, chat, "the person's own contact");
  await page.getByRole("button", { name: "Here" }).click();
  equal(typeof (await next()).message.location.latitude, "number", "the person's place");
  const dot = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  await page.setInputFiles("#file", { name: "dot.png", mimeType: "image/png", buffer: dot });
  await page.fill("#text", "look");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  const came = (await next()).message;
  equal(came.caption, "look", "the caption of the person's photo");
  const { file_path } = await call("getFile", { file_id: came.photo.at(-1).file_id });
  const bytes = Buffer.from(await (await fetch(`${url}/file/bot${token}/${file_path}`)).arrayBuffer());
  equal(bytes.equals(dot), true, "the person's photo, as the bot gets it");
  const shown = await call("sendPhoto", { chat_id: chat, photo: came.photo.at(-1).file_id, caption: "yours" });
  for (const id of [came.message_id, shown.message_id]) {
    const image = page.locator(`[data-id="${id}"] img`);
    await image.waitFor();
    await page.waitForFunction((element) => element.naturalWidth === 1, await image.elementHandle());
  }
  const form = new FormData();
  form.set("chat_id", String(chat));
  form.set("document", new Blob(["<b>a list</b>"]), "list.html");
  const list = (await (await fetch(`${url}/bot${token}/sendDocument`, { method: "POST", body: form })).json()).result;
  const link = page.locator(`[data-id="${list.message_id}"] a`, { hasText: "list.html" });
  const got = await page.request.get(new URL(await link.getAttribute("href"), url).href);
  equal([await got.text(), got.headers()["content-type"]], ["<b>a list</b>", "application/octet-stream"], "the document");
  await page.setInputFiles("#file", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") });
  await page.getByRole("button", { name: "Send", exact: true }).click();
  equal((await next()).message.document.file_name, "notes.txt", "the person's document");
  if (screenshot) await page.screenshot({ path: screenshot });
  await page.getByLabel("blocks the bot").check();
  equal((await next()).my_chat_member.new_chat_member.status, "kicked", "blocked");
} catch (e) {
  problems.push(String(e && e.message || e).slice(0, 600));
}
console.log(JSON.stringify({ problems }));
await browser.close();
