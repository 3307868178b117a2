-- The kinds of updates of the Bot API (10.2, https://core.telegram.org/bots/api#update), and those
-- that a bot asks for.

local M = {}

-- How each is read: as a message, as the change of one, as a press; the rest comes whole.
M.READ = {
  message = "message", business_message = "business", callback_query = "press",
  edited_message = "content", channel_post = "content", edited_channel_post = "content",
  edited_business_message = "content",
}

local ALWAYS = {
  "message", "edited_message", "channel_post", "edited_channel_post", "business_connection",
  "business_message", "edited_business_message", "deleted_business_messages", "guest_message",
  "inline_query", "chosen_inline_result", "callback_query", "shipping_query",
  "pre_checkout_query", "purchased_paid_media", "poll", "poll_answer", "my_chat_member",
  "chat_join_request", "chat_boost", "removed_chat_boost", "managed_bot", "subscription",
}

-- Telegram brings these to bots that ask for them: in a large group they are many.
local ON_REQUEST = { "chat_member", "message_reaction", "message_reaction_count" }

M.KNOWN = {}
for _, list in ipairs { ALWAYS, ON_REQUEST } do
  for _, kind in ipairs(list) do M.KNOWN[kind] = true end
end

---All kinds, for who cannot ask anew when plugins come and go.
---@return string[]
function M.all()
  local out = { unpack(ALWAYS) }
  for _, kind in ipairs(ON_REQUEST) do out[#out + 1] = kind end
  return out
end

---The kinds to ask Telegram for: `allowed_updates` of getUpdates and setWebhook.
---@param plugins {name: string, manifest: table}[] whose `events` say what they want, like
---  telegram.message_reaction
---@param names string[]|nil of those that a bot has; nil: all
---@return string[]
function M.wanted(plugins, names)
  local out, named, has = { unpack(ALWAYS) }, {}, names and {}
  for _, name in ipairs(names or {}) do has[name] = true end
  for _, p in ipairs(plugins) do
    if not has or has[p.name] then
      for _, event in ipairs(p.manifest.events or {}) do named[event] = true end
    end
  end
  for _, kind in ipairs(ON_REQUEST) do
    if named["telegram." .. kind] then out[#out + 1] = kind end
  end
  return out
end

return M
