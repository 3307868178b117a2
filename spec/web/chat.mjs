// Drives the pages in a real browser: node chat.mjs URL TOKEN PID [SCREENSHOT]. Prints one JSON line for
// each case: {"name", "error"}. PID is the host's: the last case stops it.
import { chromium } from "playwright-core";

const [url, token, pid, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"],
});

const complaints = []; // of the console
const elsewhere = []; // requests to other hosts

async function open(path, options) {
  const context = await browser.newContext(Object.assign({ locale: "en-US" }, options));
  const page = await context.newPage();
  page.setDefaultTimeout(10000);
  // A refused request stands in the console by itself; the cases that provoke one look at the page.
  page.on("console", (m) => {
    if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) complaints.push(m.text());
  });
  page.on("pageerror", (e) => complaints.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(url) && !r.url().startsWith("data:")) elsewhere.push(r.url()); });
  await page.goto(url + path);
  return page;
}

function equal(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

function match(actual, pattern, what) {
  if (!pattern.test(actual)) throw new Error(`${what}: ${JSON.stringify(actual)} does not match ${pattern}`);
}

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};

const reply = (page) => page.locator(".message:not(.mine):not(.typing) .bubble").last();

const cases = {
  "sends a message and shows the reply with its trace": async () => {
    const page = await open("/chat#token=" + token);
    equal(new URL(page.url()).hash, "", "the token stays in the address bar");
    await say(page, "/echo hello <b>there</b>");
    await page.locator(".message:not(.mine):not(.typing) .trace").waitFor();
    equal(await reply(page).textContent(), "hello <b>there</b>", "reply");
    match(await page.locator(".trace").last().textContent(), /plugin echo · [\d.]+ ms, of which [\d.]+ ms/, "trace");
    await say(page, "what can you do?");
    await page.getByText("What is Parley?").first().waitFor();
    match(await page.locator(".trace").last().textContent(), /plugin faq · intent faq\.about \(\d+ %, mock\)/, "trace");
    equal(await page.locator(".bubble strong").first().textContent(), "What is Parley?", "bold");
    await page.locator("#show-trace").uncheck();
    equal(await page.locator(".trace").last().isVisible(), false, "the trace is hidden");
  },

  "keeps the conversation over a reload, and starts over": async () => {
    const page = await open("/chat#token=" + token);
    await say(page, "/echo remember me");
    await page.getByText("remember me", { exact: true }).last().waitFor();
    await page.locator(".trace").last().waitFor();
    await page.reload();
    await page.getByText("/echo remember me").waitFor();
    await page.locator(".message:not(.mine)").getByText("remember me", { exact: true }).waitFor();
    await page.click("#reset");
    await page.getByText("The conversation starts over.").waitFor();
    equal(await page.locator(".bubble").count(), 0, "messages after the reset");
  },

  "presses buttons": async () => {
    const page = await open("/chat#token=" + token);
    await say(page, "/faq");
    await page.locator(".buttons button", { hasText: "Where is my data?" }).click();
    await page.getByText("In the database of whoever runs this Parley").waitFor();
    equal(await page.locator(".message.mine .bubble").last().textContent(), "Where is my data?", "the press");
    // A press whose answer is lost is the same press when it is made again.
    const ids = [];
    await page.route("**/messages", (route) => {
      ids.push(route.request().postDataJSON().message_id);
      return ids.length === 1 ? route.abort() : route.continue();
    });
    const again = page.locator(".buttons button", { hasText: "What is Parley?" });
    await again.click();
    await page.getByText("Press the button again.").waitFor();
    await again.click();
    await page.getByText("Parley hosts conversations").waitFor();
    equal(ids.length, 2, "presses");
    equal(ids[0], ids[1], "id of the press");
  },

  "keeps a menu where it is": async () => {
    const page = await open("/chat#token=" + token);
    await say(page, "/language");
    await page.getByText("Language: English").waitFor();
    await page.locator(".buttons button", { hasText: "Українська" }).click();
    await page.getByText("Мова: українська").waitFor();
    equal(await page.getByText("Language: English").count(), 0, "the menu as it was");
    equal(await page.locator(".message.mine").count(), 1, "messages of the user");
    await page.reload();
    await page.getByText("Мова: українська").waitFor();
    equal(await page.locator(".message .buttons").count(), 1, "menus after a reload");
    await page.locator(".buttons button", { hasText: "English" }).click();
    await page.getByText("Language: English").waitFor();
    await page.locator(".buttons button", { hasText: "Done" }).click();
    await page.locator(".buttons").waitFor({ state: "detached" });
    equal(await page.locator(".hint").count(), 0, "hints");
  },

  "shows that an answer is on its way": async () => {
    const page = await open("/chat#token=" + token);
    await page.route("**/messages", async (route) => {
      await page.locator(".typing").waitFor();
      await page.locator(".message.mine.pending").waitFor();
      await route.continue();
    });
    await say(page, "/echo typing");
    await page.locator(".trace").last().waitFor();
    equal(await page.locator(".typing").count(), 0, "typing after the answer");
  },

  "shows what comes by itself": async () => {
    const page = await open("/chat#token=" + token);
    await say(page, "/remind drink water in 1 second");
    await page.getByText("I will remind you at").waitFor();
    await page.getByText("⏰ drink water").waitFor();
    await page.locator(".buttons button", { hasText: "Done" }).click();
    await page.getByText("Well done!").waitFor();
  },

  "speaks the browser's language": async () => {
    for (const [locale, words, answer] of [["uk-UA", "Надіслати", "Що таке Parley?"], ["ru-RU", "Отправить", "Что такое Parley?"]]) {
      const page = await open("/chat#token=" + token, { locale });
      equal(await page.locator("#send").textContent(), words, "button");
      await say(page, locale === "uk-UA" ? "хто ти" : "кто ты");
      await page.getByText(answer).first().waitFor();
    }
  },

  "fits a phone": async () => {
    const page = await open("/chat#token=" + token, { viewport: { width: 360, height: 640 }, hasTouch: true });
    await say(page, "/echo " + "verylongword".repeat(20));
    await page.locator(".trace").last().waitFor();
    await say(page, "/faq");
    await page.locator(".buttons button").first().waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    equal(width, 360, "width of the page");
    const send = await page.locator("#send").boundingBox();
    if (send.x + send.width > 360 || send.y + send.height > 640) throw new Error("the send button is outside");
  },

  "asks for a token, and says when it is not accepted": async () => {
    const page = await open("/chat");
    await page.locator("#ask-token[open]").waitFor();
    await page.fill("#token", "prl_bot_wrong");
    await page.press("#token", "Enter");
    await page.locator("#ask-token").waitFor({ state: "hidden" });
    await say(page, "/echo in");
    await page.locator("#ask-token[open]").waitFor();
    match(await page.locator("#notice").textContent(), /The token is not accepted/, "notice");
    await page.fill("#token", token);
    await page.press("#token", "Enter");
    await page.locator("#ask-token").waitFor({ state: "hidden" });
    equal(await page.inputValue("#text"), "/echo in", "the text is kept");
    await page.press("#text", "Enter");
    await page.getByText("in", { exact: true }).waitFor();
  },

  "says in words what the server refuses": async () => {
    const page = await open("/chat#token=" + token);
    for (const [status, problem, headers, words] of [
      [429, { code: "dialog_busy" }, { "Retry-After": "7" }, /Try again in 7 s/],
      [503, { code: "busy", trace_id: "abc" }, {}, /The server has a problem \(503\).* abc$/],
      [403, { detail: "the token lacks the scope 'dialogs:write'" }, {}, /may not do that: the token lacks the scope/],
      [400, { detail: "text: at most 16384 characters" }, {}, /refused: text: at most/],
    ]) {
      await page.route("**/messages", (route) => route.fulfill({
        status, headers, contentType: "application/problem+json", body: JSON.stringify(problem),
      }));
      await say(page, "/echo kept");
      await page.locator("#notice", { hasText: words }).waitFor();
      equal(await page.inputValue("#text"), "/echo kept", "the text is kept");
      await page.unroute("**/messages");
    }
    await page.press("#text", "Enter");
    await page.getByText("kept", { exact: true }).waitFor();
    equal(await page.locator("#notice").isVisible(), false, "the notice stays");
  },

  "shows the contract, and tries it": async () => {
    const page = await open("/docs", { viewport: { width: 360, height: 640 } });
    await page.locator("#post_dialogs_dialog_id_messages summary").click();
    await page.fill("#token", token);
    await page.fill("#post_dialogs_dialog_id_messages-body", JSON.stringify({ user: { external_id: "d" }, type: "text", text: "/echo docs" }));
    const box = page.locator("#post_dialogs_dialog_id_messages");
    await box.locator("button").click();
    await box.locator("pre", { hasText: '"text": "docs"' }).waitFor();
    await page.goto(url + "/docs#schema-ProblemV1");
    await page.locator("#schema-ProblemV1 table").waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    equal(width, 360, "width of the page");
  },

  "has asked no other host, and nothing stands in the console": async () => {
    equal(elsewhere.join(" "), "", "other hosts");
    equal(complaints.join("\n"), "", "console");
  },

  "says that the server is away, and keeps the message": async () => {
    const page = await open("/chat#token=" + token);
    await page.locator("#log .hint, #log .bubble").first().waitFor();
    process.kill(Number(pid), "SIGTERM");
    for (;;) {
      try { await fetch(url + "/chat"); } catch (e) { break; }
    }
    await say(page, "/echo later");
    await page.getByText("The server cannot be reached.").waitFor();
    equal(await page.inputValue("#text"), "/echo later", "the text is kept");
  },
};

async function picture(path) {
  const page = await open("/chat#token=" + token, { viewport: { width: 760, height: 720 }, deviceScaleFactor: 2 });
  for (const text of ["what can you do?", "/faq", "remind me to call Ann in 20 minutes"]) {
    const before = await page.locator(".trace").count();
    await say(page, text);
    await page.locator(".trace").nth(before).waitFor();
  }
  await page.screenshot({ path });
}

if (screenshot) {
  await picture(screenshot);
} else {
  for (const [name, run] of Object.entries(cases)) {
    let error = null;
    try { await run(); } catch (e) { error = String(e && e.message || e).slice(0, 600); }
    console.log(JSON.stringify({ name, error }));
  }
}
await browser.close();
