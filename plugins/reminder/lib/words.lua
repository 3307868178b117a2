-- What people write when they want to be reminded, in English, Russian and Ukrainian.

local M = {}

local MINUTE, HOUR, DAY = 60, 3600, 86400

-- Stems of the units, longest first, so that "minute" is not read as "min" and "ute".
local UNITS = {
  { 1, "seconds?", "secs?", "секунд%S*", "сек" },
  { MINUTE, "minutes?", "mins?", "минут%S*", "хвилин%S*", "мин", "хв" },
  { HOUR, "hours?", "час%S*", "годин%S*" },
  { DAY, "days?", "дня", "дней", "день", "дні", "днів" },
  { 7 * DAY, "weeks?", "недел%S*", "тиждень", "тижн%S*" },
}

local IN = { "in", "через", "за" }
local AT = { "at", "в", "о", "об" }
local TOMORROW = { "tomorrow", "завтра" }

-- Words before the thing itself.
local LEADS = {
  "please", "remind me to", "remind me about", "remind me that", "remind me", "remind",
  "set a reminder to", "set a reminder for", "set a reminder",
  "пожалуйста", "напомни мне о", "напомни мне про", "напомни мне", "напомни о", "напомни про",
  "напомни",
  "поставь напоминание на", "поставь напоминание",
  "будь ласка", "нагадай мені про", "нагадай мені", "нагадай про", "нагадай",
  "постав нагадування на", "постав нагадування",
}

local CANCEL = {
  cancel = true, stop = true, ["отмена"] = true, ["отмени"] = true, ["стоп"] = true,
  ["скасувати"] = true, ["скасуй"] = true, ["досить"] = true,
}

local LOWER = {
  [0x401] = 0x451, [0x404] = 0x454, [0x406] = 0x456, [0x407] = 0x457, [0x490] = 0x491,
}

---Lower case of Latin and Cyrillic letters.
function M.lower(s)
  local out = {}
  for _, code in utf8.codes(s) do
    if code >= 65 and code <= 90 or code >= 0x410 and code <= 0x42F then code = code + 32 end
    out[#out + 1] = utf8.char(LOWER[code] or code)
  end
  return table.concat(out)
end

function M.is_cancel(s) return CANCEL[M.lower(s):gsub("[%s%p]+$", "")] == true end

-- A text is looked at in lower case and cut as it was written: both have the same bytes.
local function cut(t, pattern)
  local a, b, x, y = t.lower:find("%s" .. pattern .. "%f[%s%p]")
  if not a then return nil end
  local function without(s) return s:sub(1, a - 1) .. "  " .. s:sub(b + 1) end
  return { lower = without(t.lower), text = without(t.text) }, x, y
end

local function clock(t)
  for _, word in ipairs(AT) do
    local rest, h, m = cut(t, word .. "%s+(%d%d?)[:.](%d%d)")
    if not rest then
      rest, h = cut(t, word .. "%s+(%d%d?)")
      m = "0"
    end
    h, m = tonumber(h), tonumber(m)
    if rest and h <= 23 and m <= 59 then return rest, h * HOUR + m * MINUTE end
  end
end

local function span(t)
  for _, word in ipairs(IN) do
    for _, unit in ipairs(UNITS) do
      for i = 2, #unit do
        local rest, n = cut(t, word .. "%s+(%d+)%s*" .. unit[i])
        if not rest then rest, n = cut(t, word .. "%s+an?%s+" .. unit[i]), 1 end
        if not rest then rest, n = cut(t, word .. "%s+" .. unit[i]), 1 end
        if rest and tonumber(n) <= 1000 then return rest, tonumber(n) * unit[1] end
      end
    end
  end
end

local function tomorrow(t)
  for _, word in ipairs(TOMORROW) do
    local rest = cut(t, word)
    if rest then return rest end
  end
end

---When, and what is left of the text without it.
---@param text string
---@param now number unix seconds
---@param offset number seconds of the user's clock before UTC
---@return number|nil at unix seconds
---@return string rest
function M.when(text, now, offset)
  text = " " .. text .. " "
  local t = { text = text, lower = M.lower(text) }
  local rest, seconds = span(t)
  if rest then return now + seconds, rest.text end
  local next_day = tomorrow(t)
  local at
  rest, at = clock(next_day or t)
  if not rest and not next_day then return nil, text end
  local midnight = math.floor((now + offset) / DAY) * DAY - offset
  local time = midnight + (at or 9 * HOUR) + (next_day and DAY or 0)
  if time <= now then time = time + DAY end
  return time, (rest or next_day).text
end

---The thing itself: without the words that lead to it.
function M.what(text)
  text = text:gsub("^%s+", ""):gsub("[%s%p]+$", "")
  local again = true
  while again do
    again = false
    for _, lead in ipairs(LEADS) do
      local whole = #text == #lead or text:find("^[%s%p]", #lead + 1)
      if whole and M.lower(text):sub(1, #lead) == lead then
        text = text:sub(#lead + 1):gsub("^[%s%p]+", "")
        again = true
        break
      end
    end
  end
  return text:gsub("%s+", " ")
end

---"+02:00" in seconds.
function M.offset(text)
  local sign, h, m = tostring(text or "+00:00"):match "^([+-])(%d%d):(%d%d)$"
  if not sign then return nil end
  return (sign == "-" and -1 or 1) * (tonumber(h) * HOUR + tonumber(m) * MINUTE)
end

return M
