-- What a reply looks like as lines of text.

local M = {}

local MEDIA = {
  "photo", "document", "voice", "audio", "video", "sticker", "location", "contact",
}

-- Control characters of a reply could rewrite the terminal.
local function plain(text) return (text:gsub("[%z\1-\8\11-\31\127]", "?")) end

local function media_lines(out, action)
  for _, kind in ipairs(MEDIA) do
    local m = action[kind]
    if m then out[#out + 1] = plain(("[%s] %s"):format(kind, m.url or m.id or "")) end
  end
end

local function button_lines(out, rows, buttons)
  for i = #buttons, 1, -1 do buttons[i] = nil end
  for _, row in ipairs(rows) do
    for _, button in ipairs(row) do
      buttons[#buttons + 1] = button
      out[#out + 1] = ("  [%d] %s%s"):format(#buttons, plain(button.text),
        button.url and " " .. plain(button.url) or "")
    end
  end
end

---The lines of a reply's actions; none when they show nothing.
---@param actions table[]
---@param buttons table[] of the reply before; replaced when this one has some
---@param t fun(key: string, ...): string
---@return string[]
function M.lines(actions, buttons, t)
  local out = {}
  for _, action in ipairs(actions) do
    if action.type == "send" or action.type == "edit" then
      if action.text then out[#out + 1] = plain(action.text) end
      media_lines(out, action)
      local rows = action.buttons or action.keyboard and action.keyboard.rows
      if rows and #rows > 0 then button_lines(out, rows, buttons) end
    elseif action.type == "answer_callback" and action.text then
      out[#out + 1] = plain(action.text)
    elseif action.type == "handoff" or action.type == "close" or action.type == "menu" then
      out[#out + 1] = t(action.type)
    end
  end
  return out
end

local function milliseconds(ms) return (ms < 10 and "%.1f" or "%.0f"):format(ms) end

---Who has answered, and why.
---@param r table DialogMessageResponseV1
---@param t fun(key: string, ...): string
---@return string
function M.trace(r, t)
  local out = {}
  if r.plugin then
    out[#out + 1] = t("plugin", r.plugin.name)
  elseif r.status == "answered" then
    out[#out + 1] = t "rules"
  end
  if r.status == "fallback" or r.status == "failed" then out[#out + 1] = t(r.status) end
  if r.intent and r.intent.name then
    out[#out + 1] = t("intent", r.intent.name, r.intent.confidence * 100, r.intent.source)
  end
  out[#out + 1] = t("took", milliseconds(r.latency_ms.total), milliseconds(r.latency_ms.plugin))
  return table.concat(out, " · ")
end

return M
