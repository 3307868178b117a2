-- Schemas of v1alpha for the bots of a host.

local M = {}

local text = { type = "string" }
local time = { type = "string", format = "date-time" }

-- It is part of dialog ids, of addresses, and of what people type.
local name = {
  type = "string", minLength = 1, maxLength = 32, pattern = "^%l[%l%d_]*$",
  description = "how the host calls the bot",
}
local plugin = { type = "string", minLength = 1, maxLength = 64, pattern = "^%l[%l%d_]*$" }
local plugins = {
  type = "array", maxItems = 200, items = plugin,
  description = "those that its dialogs may reach; absent: all",
}
local token = {
  type = "string", minLength = 1, maxLength = 200,
  description = "as @BotFather gave it; it is in no answer",
}

local client = {
  type = "object", additionalProperties = false,
  properties = {
    messages = { type = "boolean", default = true },
    presses = { type = "boolean", default = true, description = "of buttons" },
    events = { type = "boolean", default = true },
    commands = {
      type = "array", maxItems = 200, items = {
        type = "string", minLength = 1, maxLength = 32, pattern = "^[%w_]+$",
      },
      description = "those that are allowed; absent: as messages",
    },
  },
}

M.BotConfigV1 = {
  title = "BotConfigV1", type = "object", additionalProperties = false, ["x-max-bytes"] = 16384,
  properties = {
    locale = {
      type = "string", minLength = 2, maxLength = 35, pattern = "^%a%a%a?[%-_%w]*$",
      description = "of people of whom Telegram tells none; default: the host's",
    },
    fallback_plugin = {
      type = "string", minLength = 1, maxLength = 64, pattern = "^%l[%l%d_]*$",
      description = "what answers when no other plugin does; default: the host's",
    },
    access = {
      type = "object", additionalProperties = false,
      properties = { internal = client, tg_client = client, public = client },
      description = "what each type of client may do; those that are absent: as the host's "
        .. "telegram.access says",
    },
    plugins = {
      type = "object", additionalProperties = { type = "object" },
      description = "settings of plugins, by their names, before those of the host",
    },
  },
}

M.BotCreateV1 = {
  title = "BotCreateV1", type = "object", additionalProperties = false,
  required = { "name", "token" },
  properties = {
    name = name, token = token, plugins = plugins, config = M.BotConfigV1,
    state = { type = "string", enum = { "active", "paused" }, default = "active" },
    verify = {
      type = "boolean", default = true, description = "ask Telegram whose token it is, first",
    },
  },
  examples = {
    { name = "shop", token = "123456:ABC-DEF", config = { locale = "uk" }, verify = false },
  },
}

M.BotChangeV1 = {
  title = "BotChangeV1", type = "object", additionalProperties = false, minProperties = 1,
  properties = {
    token = token, config = M.BotConfigV1,
    plugins = {
      type = { "array", "null" }, maxItems = 200, items = plugin,
      description = "those that its dialogs may reach; null: all",
    },
    state = { type = "string", enum = { "active", "paused" } },
    verify = M.BotCreateV1.properties.verify,
  },
}

M.BotWebhookV1 = {
  title = "BotWebhookV1", type = "object", additionalProperties = false, required = { "url" },
  properties = {
    url = {
      type = "string", minLength = 1, maxLength = 2048, pattern = "^https?://",
      description = "the public address of this host; /tg/webhook/{bot} is added to it",
    },
    certificate = {
      type = "string", minLength = 1, maxLength = 65536,
      description = "a self-signed certificate in PEM, for Telegram to trust",
    },
    max_connections = {
      type = "integer", minimum = 1, maximum = 100,
      description = "requests at the same time; default: Telegram's, 40",
    },
    drop_pending = {
      type = "boolean", default = false, description = "forget what waits at Telegram",
    },
  },
  examples = { { url = "https://bot.example" } },
}

M.BotV1 = {
  title = "BotV1", type = "object", required = { "name", "telegram_id", "transport", "state" },
  properties = {
    name = name, telegram_id = { type = "integer" }, username = text,
    transport = { type = "string", enum = { "polling", "webhook" } },
    state = { type = "string", enum = { "active", "paused" } },
    plugins = plugins, config = M.BotConfigV1,
    problem = {
      type = "object", description = "what is wrong with the bot itself",
      properties = { code = text, message = text, since = time },
    },
    worker = {
      type = "string", description = "that polls and sends for it: INSTANCE/WORKER",
    },
    created_at = time, changed_at = time,
  },
}

M.BotListV1 = {
  title = "BotListV1", type = "object", required = { "bots" },
  properties = { bots = { type = "array", items = M.BotV1 }, next_cursor = text },
}

M.BotRemovedV1 = {
  title = "BotRemovedV1", type = "object", required = { "name", "removed" },
  properties = { name = name, removed = { type = "boolean" } },
}

M.BotDiagnosisV1 = {
  title = "BotDiagnosisV1", type = "object", required = { "name", "well", "findings" },
  properties = {
    name = name, well = { type = "boolean", description = "no finding of kind problem" },
    findings = {
      type = "array",
      items = {
        type = "object", required = { "check", "kind", "message" },
        properties = {
          check = {
            type = "string",
            enum = { "record", "api", "token", "webhook", "updates", "worker", "groups", "files" },
          },
          kind = { type = "string", enum = { "good", "hint", "problem" } },
          message = text, advice = { type = "string", description = "what to do" },
        },
      },
    },
  },
}

return M
