-- Actions that only Telegram has, as calls of the Bot API.

local json = require "host.json"

local M = {}

local EVENTS = { inline = "telegram.inline_query", checkout = "telegram.pre_checkout_query" }

-- The id of what has come, when it is of this kind: it is answered in no other turn.
local function id_of(ctx, kind)
  return ctx.event and ctx.event.name == EVENTS[kind] and ctx.event.data.id or nil
end

-- Queries are answered in no order with messages.
local function answer(ctx, method, params)
  ctx.calls[#ctx.calls + 1] = { method = method, params = params, lane = "answer" }
end

-- What a plugin gives is an article, unless it says that it is something else.
local function result_of(given, i, pieces)
  if given.type then return given end
  local piece = pieces({ text = given.text or given.title, format = given.format }, 4096)[1]
  return {
    type = "article", id = given.id and tostring(given.id):sub(1, 64) or tostring(i),
    title = given.title, description = given.description, url = given.url,
    thumbnail_url = given.thumbnail,
    input_message_content = piece and {
      message_text = piece.text,
      entities = #piece.entities > 0 and json.array(piece.entities) or nil,
    },
  }
end

---@type table<string, fun(ctx: table, action: table, pen: table)> pen: `add(method, params)` for
---  what is of the chat, `pieces(action, max)` for texts
M.renderers = {}

function M.renderers.react(ctx, action, pen)
  local id = action.message_id or ctx.message_id
  if not id then return end
  local list = json.array()
  if action.emoji then list[1] = { type = "emoji", emoji = action.emoji } end
  pen.add("setMessageReaction", { message_id = tonumber(id) or id, reaction = list })
end

function M.renderers.answer_inline(ctx, action, pen)
  local id = id_of(ctx, "inline")
  if not id then return end
  local results = json.array()
  for i, given in ipairs(action.results) do results[i] = result_of(given, i, pen.pieces) end
  answer(ctx, "answerInlineQuery", {
    inline_query_id = id, results = results, cache_time = action.cache_seconds,
    is_personal = action.personal, next_offset = action.next_offset,
  })
end

function M.renderers.answer_checkout(ctx, action)
  local id = id_of(ctx, "checkout")
  if not id then return end
  answer(ctx, "answerPreCheckoutQuery", {
    pre_checkout_query_id = id, ok = action.ok,
    error_message = not action.ok and (action.error or "-") or nil,
  })
end

---The parameters of a plugin's own call: of this chat, whatever it says.
---@param method string
---@param given table|nil
---@param place table of parley.channels.telegram.address
---@param connection string|nil of a business, when it is its chat
---@return table
function M.own_params(method, given, place, connection)
  local params = {}
  for key, value in pairs(given or {}) do params[key] = value end
  params.business_connection_id = method == "getBusinessConnection" and connection or nil
  -- What was sent by an inline query is in no chat that the bot knows.
  if method:find "^answer" or method == "getMe" or params.inline_message_id then
    params.chat_id, params.message_id = nil, nil
    return params
  end
  params.chat_id = place.chat_id
  if method:find "^copy" or method:find "^forward" then params.from_chat_id = place.chat_id end
  return params
end

function M.renderers.telegram(ctx, action, pen)
  local method, params = action.method, M.own_params(action.method, action.params, ctx.place)
  if method:find "^answer" then return answer(ctx, method, params) end
  if not params.inline_message_id then return pen.add(method, params) end
  ctx.calls[#ctx.calls + 1] = { method = method, params = params, lane = "reply" }
end

return M
