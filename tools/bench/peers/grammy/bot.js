// node bot.js polling|webhook DIR: answers /echo and counts in a session, as Parley's plugin does. Environment:
// BOT_TOKEN, API (of the simulator), SECRET (of the webhook), REDIS_URL (sessions in Redis instead of files in DIR).
// Prints "ready", with the port of the webhook. Chats go side by side, the messages of a chat one by one.
import { createServer } from "node:http";
import { run, sequentialize } from "@grammyjs/runner";
import { FileAdapter } from "@grammyjs/storage-file";
import { RedisAdapter } from "@grammyjs/storage-redis";
import { Bot, session, webhookCallback } from "grammy";
import { Redis } from "ioredis";

const [transport, dirName] = process.argv.slice(2);
const { BOT_TOKEN, API, SECRET, REDIS_URL } = process.env;
const bot = new Bot(BOT_TOKEN, { client: { apiRoot: API } });
const key = (ctx) => String(ctx.chat?.id);

bot.use(sequentialize(key));
bot.use(session({
  initial: () => ({ count: 0 }),
  getSessionKey: key,
  storage: REDIS_URL ? new RedisAdapter({ instance: new Redis(REDIS_URL) }) : new FileAdapter({ dirName }),
}));
bot.command("echo", async (ctx) => {
  ctx.session.count += 1;
  await ctx.reply(ctx.match);
});
bot.catch((failure) => console.error(failure.message));

await bot.init();
if (transport === "webhook") {
  const server = createServer(webhookCallback(bot, "http", { secretToken: SECRET, timeoutMilliseconds: 60_000 }));
  server.listen(0, "127.0.0.1", () => console.log(`ready ${server.address().port}`));
} else {
  run(bot);
  console.log("ready");
}
