-- The actions of a plugin's answer (contract: Action), each type a closed schema.

local compile = require("parley.schema.compile").compile
local json = require "host.json"
local recurring = require "parley.turn.recurring"
local telegram = require "parley.schema.telegram"
local utf16 = require "parley.util.utf16"
local utf8 = require "parley.util.utf8"

local M = {}

local TEXT_MAX = 16384
local CAPTION_MAX = 1024 -- of one in an album

local schedule_id = {
  type = "string", minLength = 1, maxLength = 64, pattern = "^[%w_.:%-]+$",
  description = "the plugin's own: one of a name is scheduled in a dialog at a time",
}

local function const(name) return { type = "string", const = name } end

local function closed(name, properties, required)
  properties.type = const(name)
  local title = ("_" .. name):gsub("_(%l)", string.upper) .. "ActionV1"
  return {
    type = "object", title = title, additionalProperties = false, properties = properties,
    required = { "type", unpack(required or {}) },
  }
end

local text = { type = "string", maxLength = TEXT_MAX }
local message_id = { type = "string", minLength = 1, maxLength = 128 }
local data = { type = "object", ["x-max-bytes"] = 16384 }
local name = { type = "string", minLength = 1, maxLength = 64, pattern = "^[%w_.]+$" }

local data_of_button = { type = "object", ["x-max-bytes"] = 4096 }
local url = { type = "string", maxLength = 2048, pattern = "^https?://" }

local buttons = {
  type = "array", maxItems = 20, description = "rows of buttons",
  items = {
    type = "array", minItems = 1, maxItems = 8,
    items = {
      type = "object", additionalProperties = false, required = { "text" },
      description = "a press comes back as a callback with `data` to the plugin that made it, or "
        .. "as the text itself; or it opens `url`",
      properties = {
        text = { type = "string", minLength = 1, maxLength = 128 },
        data = data_of_button, url = url,
        plugin = { type = "string", description = "set by the host, sent back as it is" },
      },
    },
  },
}

local menu_name = {
  type = "string", minLength = 1, maxLength = 32, pattern = "^[%w_.]+$",
  description = "the plugin is asked for it by an event of type `menu` when a button leads there",
}
local menu_args = { type = "object", ["x-max-bytes"] = 1024 }

-- Buttons of a menu may also lead to other menus.
local menu_buttons = {
  type = "array", maxItems = 20, description = "rows of buttons",
  items = {
    type = "array", minItems = 1, maxItems = 8,
    items = {
      type = "object", additionalProperties = false, required = { "text" },
      properties = {
        text = { type = "string", minLength = 1, maxLength = 128 },
        data = data_of_button, url = url,
        menu = menu_name, args = menu_args,
        back = {
          type = { "boolean", "string" },
          description = "to the menu before; a text: to this one when there is none before",
        },
        close = { type = "boolean", description = "takes the menu away" },
      },
    },
  },
}

local keyboard = {
  type = "object", additionalProperties = false, ["x-max-bytes"] = 4096,
  description = "buttons in the place of the phone's keyboard, until another one comes",
  properties = {
    rows = {
      type = "array", minItems = 1, maxItems = 20,
      items = {
        type = "array", minItems = 1, maxItems = 8,
        items = {
          type = "object", additionalProperties = false, required = { "text" },
          description = "a press writes the text, or comes back as a callback with `data` to the "
            .. "plugin that made it, or gives what is asked for with `request`",
          properties = {
            text = { type = "string", minLength = 1, maxLength = 128 },
            data = { type = "object", ["x-max-bytes"] = 256 },
            request = { type = "string", enum = { "contact", "location" } },
          },
        },
      },
    },
    remove = { type = "boolean", description = "instead of rows: no such buttons any more" },
    persistent = { type = "boolean", description = "shown also while the person types" },
    once = { type = "boolean", description = "hidden after a press" },
    placeholder = { type = "string", minLength = 1, maxLength = 64 },
  },
}

local MEDIA = {
  "photo", "document", "voice", "audio", "video", "sticker", "location", "contact",
}

-- A file, by a reference that the channel knows, by address, or one that is kept here.
local media = {
  type = "object", ["x-max-bytes"] = 4096,
  properties = {
    -- A channel may have a server of its own, whose files are nobody else's.
    url = { type = "string", maxLength = 2048, pattern = "^https?://" },
    id = { type = "string", maxLength = 512, pattern = "^[^/]*$" },
    file = { type = "string", maxLength = 64, description = "id of a file that is kept here" },
  },
}

local album = {
  type = "array", minItems = 2, maxItems = 10,
  description = "photos and videos, or documents, or audio, shown as one",
  items = {
    type = "object", additionalProperties = false, ["x-max-bytes"] = 16384,
    properties = {
      photo = media, video = media, document = media, audio = media, text = text,
      format = { type = "string", enum = { "plain", "markdown" } },
    },
  },
}

local poll = {
  type = "object", additionalProperties = false, required = { "question", "options" },
  properties = {
    question = { type = "string", minLength = 1, maxLength = 300 },
    options = {
      type = "array", minItems = 2, maxItems = 10,
      items = { type = "string", minLength = 1, maxLength = 100 },
    },
    anonymous = { type = "boolean", description = "default true" },
    multiple = { type = "boolean", description = "more than one answer" },
    correct = {
      type = "integer", minimum = 1, maximum = 10, description = "of a quiz: the right option",
    },
    explanation = { type = "string", maxLength = 200 },
  },
}

local format = { type = "string", enum = { "plain", "markdown", "entities" } }
local entities = { type = "array", maxItems = 500, items = { type = "object" } }

local function message(type_name, required, more)
  local properties = {
    text = text, format = format, entities = entities,
    buttons = buttons, reply_to = message_id, lane = { type = "string", maxLength = 64 },
    silent = { type = "boolean" },
  }
  for _, kind in ipairs(MEDIA) do properties[kind] = media end
  for k, v in pairs(more or {}) do properties[k] = v end
  return closed(type_name, properties, required)
end

---@type table<string, table> JSON Schema of each type of action
M.types = {
  send = message("send", {}, {
    keyboard = keyboard, album = album, poll = poll,
    menu = {
      type = "object", description = "set by the host: it is the dialog's menu, in the place of "
        .. "the one before it; `edit`: where that stands",
      properties = { name = { type = "string" }, edit = { type = "boolean" } },
    },
  }),
  edit = message("edit", { "message_id" }, { message_id = message_id }),
  menu = closed("menu", {
    name = menu_name, args = menu_args,
    text = { type = "string", minLength = 1, maxLength = 2048 }, format = format,
    entities = entities, buttons = menu_buttons,
    close = { type = "boolean", description = "takes the menu away, instead of all the rest" },
  }),
  keyboard = closed("keyboard", {
    text = text, format = format, entities = entities, keyboard = keyboard,
    silent = { type = "boolean" },
  }, { "text", "keyboard" }),
  delete = closed("delete", { message_id = message_id }, { "message_id" }),
  answer_callback = closed("answer_callback", {
    text = { type = "string", maxLength = 200 },
    alert = { type = "boolean", description = "shown until the person closes it" },
  }),
  typing = closed("typing", {}),
  event = closed("event", { name = name, data = data }, { "name" }),
  schedule = closed("schedule", {
    job = name, data = data,
    at = { type = "number", minimum = 0, maximum = 4102444800, description = "unix seconds" },
    ["in"] = { type = "number", minimum = 0, maximum = 315360000, description = "seconds" },
    id = schedule_id,
    every = {
      type = "number", minimum = recurring.EVERY_MIN, maximum = recurring.EVERY_MAX,
      description = "seconds: it comes again, first at `at` or `in`, or when they have passed; its "
        .. "`id` is the name of the job when it has none",
    },
  }, { "job" }),
  unschedule = closed("unschedule", { id = schedule_id }, { "id" }),
  invoke = closed("invoke", { plugin = name, intent = name }),
  set_locale = closed("set_locale", {
    locale = {
      type = "string", pattern = "^%a%a%a?[%-_%w]*$", maxLength = 35,
      description = "BCP 47, like uk-UA; absent: that of the user's channel again",
    },
  }),
  handoff = closed("handoff", { reason = { type = "string", maxLength = 256 } }),
  close = closed("close", { reason = { type = "string", maxLength = 256 } }),
}

for kind, schema in pairs(telegram.types(closed)) do M.types[kind] = schema end

---Any of them, for people and their tools; M.problem says more precisely what is wrong with one.
M.ActionV1 = { title = "ActionV1", anyOf = {} }
for _, kind in ipairs {
  "send", "edit", "menu", "keyboard", "delete", "answer_callback", "typing", "event", "schedule",
  "unschedule", "invoke", "set_locale", "handoff", "close", "react", "answer_inline",
  "answer_checkout", "telegram",
} do table.insert(M.ActionV1.anyOf, M.types[kind]) end

local function keyboard_problem(action)
  local k = action.keyboard
  if not k then return nil end
  if (k.rows == nil) == (k.remove ~= true) then return "keyboard: 'rows' or 'remove' is needed" end
  if action.buttons then return "a message has 'buttons' or a 'keyboard', not both" end
end

local function menu_problem(action)
  if action.close then return nil end
  if not action.name or not action.text then return "'name' and 'text', or 'close', are needed" end
  for _, row in ipairs(action.buttons or {}) do
    for _, b in ipairs(row) do
      local ways = 0
      for _, way in ipairs { "data", "url", "menu", "back", "close" } do
        if b[way] then ways = ways + 1 end
      end
      if ways > 1 then return ("the button '%s' does more than one thing"):format(b.text) end
    end
  end
end

-- Which of the media in an album go together: those with the same letter.
local TOGETHER = { photo = "p", video = "p", document = "d", audio = "a" }

local function album_problem(album_given)
  local first
  for i, item in ipairs(album_given) do
    local n, sort = 0, nil
    for kind, letter in pairs(TOGETHER) do
      if item[kind] then n, sort = n + 1, letter end
    end
    first = first or sort
    if n ~= 1 then return ("album[%d]: one medium is needed"):format(i - 1) end
    if item.text and utf16.length(item.text) > CAPTION_MAX then
      return ("album[%d]: the text has more than %d characters"):format(i - 1, CAPTION_MAX)
    end
    if sort ~= first then
      return ("album[%d]: photos and videos go together, documents and audio do not"):format(i - 1)
    end
  end
end

-- What a closed schema cannot say.
local function lacks(action)
  if action.album then
    local problem = album_problem(action.album)
    if problem then return problem end
  end
  if action.type == "menu" then return menu_problem(action) end
  if action.type == "telegram" and action.params then return telegram.problem(action.params) end
  if action.type == "answer_inline" then return telegram.problem(action.results) end
  if action.keyboard then
    local problem = keyboard_problem(action)
    if problem then return problem end
  end
  if action.type == "schedule" and not (action.at or action["in"] or action.every) then
    return "'at', 'in' or 'every' is missing"
  end
  if action.type == "invoke" and (action.plugin == nil) == (action.intent == nil) then
    return "'plugin' or 'intent' is needed, not both"
  end
  if action.type ~= "send" or action.text or action.album or action.poll then return nil end
  for _, kind in ipairs(MEDIA) do
    if action[kind] then return nil end
  end
  return "'text', or a medium, is missing"
end

local checks = {}
for kind, schema in pairs(M.types) do checks[kind] = compile(schema) end

-- Follows the closed schemas only: what lies in an open one (`data`) is the plugin's own.
local function trim(schema, value, path, unknown)
  if type(value) ~= "table" then return end
  if schema.items then
    for i, item in ipairs(value) do
      trim(schema.items, item, ("%s[%d]"):format(path, i - 1), unknown)
    end
  end
  if schema.additionalProperties ~= false then return end
  for key, v in pairs(value) do
    local known = schema.properties[key]
    if not known then unknown[#unknown + 1] = path .. "." .. tostring(key) end
    if not known or v == json.null then
      value[key] = nil
    else
      trim(known, v, path .. "." .. key, unknown)
    end
  end
end

---Takes out of an action the fields that this version does not know, and those that are null.
---@param action any changed in place
---@param path string of the action, for `unknown`
---@param unknown string[] gets the paths of unknown fields
function M.trim(action, path, unknown)
  local schema = type(action) == "table" and M.types[action.type]
  if schema then trim(schema, action, path, unknown) end
end

---@param action any
---@return string|nil problem
function M.problem(action)
  if type(action) ~= "table" then return "an object was expected, got " .. type(action) end
  local check = checks[action.type]
  if not check then
    local kind = type(action.type) == "string" and utf8.clip(action.type, 64) or type(action.type)
    return "type: there is no action '" .. kind .. "'"
  end
  local errors = check(action)
  if errors then return errors[1].path:sub(2) .. ": " .. errors[1].message end
  return lacks(action)
end

return M
