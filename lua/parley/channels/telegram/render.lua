-- The actions of an answer as calls of the Bot API: entities instead of markup, texts cut where
-- they are too long, buttons signed.

local business = require "parley.channels.telegram.business"
local callback = require "parley.channels.telegram.callback"
local clean = require("parley.channels.telegram.entities").clean
local json = require "host.json"
local markdown = require "parley.channels.telegram.markdown"
local media = require "parley.channels.telegram.media"
local special = require "parley.channels.telegram.special"
local split = require "parley.channels.telegram.split"

local M = {}

local TEXT_MAX = 4096

---@class parley.telegram.Call
---@field method string
---@field params table
---@field lane string "answer", "reply" or what the action asks for
---@field action table|nil what it comes of

local function text_of(action)
  if action.format == "markdown" then return markdown.parse(action.text) end
  if action.format ~= "entities" then return action.text, {} end
  return action.text, clean(action.text, action.entities)
end

local function pieces_of(action, max)
  if not action.text then return {} end
  local text, entities = text_of(action)
  return split.pieces(text, entities, max)
end

local function button_of(ctx, b)
  if b.url then return { text = b.text, url = b.url } end
  -- Without data the press stands for the text itself.
  local made = b.data and { plugin = b.plugin or "-", data = b.data }
    or { plugin = "-", data = { text = b.text } }
  local data, kept = callback.pack(ctx.key, ctx.dialog_id, made)
  if kept then ctx.kept[#ctx.kept + 1] = kept end
  return { text = b.text, callback_data = data }
end

local function keyboard_of(ctx, rows)
  if not rows or #rows == 0 then return nil end
  local out = json.array()
  for i, row in ipairs(rows) do
    out[i] = json.array()
    for k, b in ipairs(row) do out[i][k] = button_of(ctx, b) end
  end
  return { inline_keyboard = out }
end

-- Buttons in the place of the phone's keyboard: a press writes the text.
local function reply_keyboard(keyboard)
  if keyboard.remove then return { remove_keyboard = true } end
  local rows = json.array()
  for i, row in ipairs(keyboard.rows) do
    rows[i] = json.array()
    for k, b in ipairs(row) do
      rows[i][k] = {
        text = b.text, request_contact = b.request == "contact" or nil,
        request_location = b.request == "location" or nil,
      }
    end
  end
  return {
    keyboard = rows, resize_keyboard = true, is_persistent = keyboard.persistent,
    one_time_keyboard = keyboard.once, input_field_placeholder = keyboard.placeholder,
  }
end

local function markup_of(ctx, action)
  if action.keyboard then return reply_keyboard(action.keyboard) end
  return keyboard_of(ctx, action.buttons)
end

local function list(entities) return #entities > 0 and json.array(entities) or nil end

local function add(ctx, method, params, action)
  params.chat_id = ctx.place.chat_id
  if ctx.place.business then
    if not business.takes(method) then
      ctx.left_out[#ctx.left_out + 1] = method
      return params
    end
    params.business_connection_id = ctx.business
  end
  if method:find "^send" then
    params.message_thread_id = params.message_thread_id or ctx.place.thread_id
    if action.silent then params.disable_notification = true end
  end
  ctx.calls[#ctx.calls + 1] = {
    method = method, params = params, lane = action.lane or "reply", action = action,
  }
  return params
end

local function reply_parameters(action)
  local id = tonumber(action.reply_to)
  return id and { message_id = id, allow_sending_without_reply = true } or nil
end

local function send_text(ctx, action, keyboard)
  local pieces = pieces_of(action, TEXT_MAX)
  for i, piece in ipairs(pieces) do
    add(ctx, "sendMessage", {
      text = piece.text, entities = list(piece.entities),
      reply_parameters = i == 1 and reply_parameters(action) or nil,
      reply_markup = i == #pieces and keyboard or nil, -- where the thumb is
    }, action)
  end
end

local renderers = {}

function renderers.send(ctx, action)
  local keyboard = markup_of(ctx, action)
  local sent = media.send(action, keyboard, {
    pieces = pieces_of, reply = reply_parameters(action),
    add = function(method, params) return add(ctx, method, params, action) end,
    text = function(markup) send_text(ctx, action, markup) end,
  })
  if not sent and action.text then send_text(ctx, action, keyboard) end
end

function renderers.edit(ctx, action)
  local keyboard = keyboard_of(ctx, action.buttons)
  local params = { message_id = action.message_id, reply_markup = keyboard }
  if not action.text then return add(ctx, "editMessageReplyMarkup", params, action) end
  local pieces = pieces_of(action, TEXT_MAX)
  if #pieces == 0 then return end
  params.text, params.entities = pieces[1].text, list(pieces[1].entities)
  add(ctx, "editMessageText", params, action)
  -- What a message has no room for comes behind it.
  for i = 2, #pieces do
    add(ctx, "sendMessage", { text = pieces[i].text, entities = list(pieces[i].entities) }, action)
  end
end

function renderers.delete(ctx, action)
  add(ctx, "deleteMessage", { message_id = action.message_id }, action)
end

-- For an answer that comes later. Beside one that is here it would be shown after it.
function renderers.typing(ctx, action)
  if not ctx.says then add(ctx, "sendChatAction", { action = "typing" }, action) end
end

function renderers.answer_callback(ctx, action)
  if not ctx.query_id or ctx.answered then return end
  ctx.answered = true
  if ctx.query_answered then -- in its time, by the host; what there is to say is still said
    return action.text and send_text(ctx, action)
  end
  table.insert(ctx.calls, 1, {
    method = "answerCallbackQuery", lane = "answer",
    params = {
      callback_query_id = ctx.query_id, text = action.text, show_alert = action.alert or nil,
    },
  })
end

for kind, render in pairs(special.renderers) do
  renderers[kind] = function(ctx, action)
    render(ctx, action, {
      pieces = pieces_of, add = function(method, params) add(ctx, method, params, action) end,
    })
  end
end

---@param actions table[]
---@param ctx {dialog_id: string, place: table, key: string, query_id: string|nil,
---  query_answered: boolean|nil, event: table|nil, message_id: integer|nil, business: string|nil}
---  place: of parley.channels.telegram.address; query_id: of the press that is answered;
---  query_answered: it was answered before, without a word; event: what has come is {name, data};
---  message_id: of what has come; business: the connection, where the place is of one
---@return parley.telegram.Call[] calls in order
---@return table[] kept data of buttons that is too long to travel
---@return string[] left_out methods that there are not for the chat of a business
function M.calls(actions, ctx)
  ctx.calls, ctx.kept, ctx.left_out, ctx.answered, ctx.says = {}, {}, {}, false, false
  for _, action in ipairs(actions) do ctx.says = ctx.says or action.type == "send" end
  for _, action in ipairs(actions) do
    local render = renderers[action.type]
    if render then render(ctx, action) end
  end
  -- A press shows a clock until it is answered.
  if ctx.query_id and not ctx.answered then renderers.answer_callback(ctx, {}) end
  return ctx.calls, ctx.kept, ctx.left_out
end

return M
