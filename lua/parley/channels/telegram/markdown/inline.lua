-- The inside of a paragraph: emphasis, code, links. Two passes, each over the text once, so that no
-- input takes long: tokens, then the marks that belong together (as CommonMark 0.31, section 6.2,
-- pairs them). A mark without its other one is a character like any other.

local M = {}

local ESCAPED = "^\\([\\`*_{}%[%]()#+%-.!~|>])"
local SPECIAL = "[\\`*_~|%[%]!<h]"
local URL_MAX = 2048
local DEPTH_MAX = 8 -- of parentheses in an address: looking for the last one must not take long

-- What Telegram opens (text_link); a link to anything else stays as it was written.
local SCHEMES = { http = true, https = true, ftp = true, tg = true, ton = true }

-- What so many marks of a kind mean when they are paired. Two of them before one.
local KINDS = {
  ["*"] = { "italic", "bold" }, ["_"] = { "italic", "bold" }, ["~"] = { nil, "strikethrough" },
  ["|"] = { nil, "spoiler" },
}

local function is_space(c) return c == "" or c:find "%s" ~= nil end
local function is_word(c) return c:find "[%w\128-\255]" ~= nil end

-- Whether a run of marks may open, and close: not beside a space on its inner side; in a word only
-- where people write so: snake_case, 2*3*4 and 2**3 are none.
local function sides(c, n, before, after)
  local opens, closes = not is_space(after), not is_space(before)
  local inside = is_word(before) and is_word(after)
  if c == "_" then
    return opens and not is_word(before), closes and not is_word(after)
  elseif c == "*" and inside and (before:find "%d" and after:find "%d") then
    return false, false
  elseif c == "*" and n == 1 then
    return opens and not is_word(before), closes
  end
  return opens, closes
end

-- links -------------------------------------------------------------------------------------------

-- "(address "title")" at byte i: the address, and the byte behind.
local function destination(s, i)
  local from, depth = s:match("^%(%s*()", i), 0
  local at = from
  while true do
    at = s:find("[()%s]", at)
    if not at or at - from > URL_MAX or depth > DEPTH_MAX then return nil end
    local c = s:sub(at, at)
    if c == "(" then
      depth = depth + 1
    elseif c == ")" and depth > 0 then
      depth = depth - 1
    else
      break
    end
    at = at + 1
  end
  local after = s:match('^%s*%)()', at) or s:match('^%s+"[^"\n]*"%s*%)()', at)
  return after and s:sub(from, at - 1):gsub("^<(.*)>$", "%1"), after
end

local function address(text)
  if text:find "^www%.%w" then text = "https://" .. text end
  local scheme = text:match "^(%a[%w+.-]*):[^%s]"
  return scheme and SCHEMES[scheme:lower()] and text or nil
end

-- tokens ------------------------------------------------------------------------------------------

-- The code at byte i, between runs of as many marks; `ends` knows for which runs there is none.
local function code(s, i, ends)
  local marks = s:match("^`+", i)
  local n = #marks
  if ends[n] then return nil, i + n end
  local at = i + n
  while true do
    local from, to = s:find("`+", at)
    if not from then break end
    if to - from + 1 == n then
      local inside = s:sub(i + n, from - 1)
      -- A space on both sides lets code begin with a mark.
      return inside:match "^ (.*[^ ].*) $" or inside, to + 1
    end
    at = to + 1
  end
  ends[n] = true
  return nil, i + n
end

local Reader = {}
Reader.__index = Reader

function Reader:add(token) self.tokens[#self.tokens + 1] = token end

function Reader:plain(text) if text ~= "" then self:add { text = text } end end

-- "]" at byte i closes the last open bracket; with an address behind it is a link.
function Reader:close_bracket(i)
  local opened = table.remove(self.brackets)
  if not opened or self.s:sub(i + 1, i + 1) ~= "(" then return nil end
  local url, after = destination(self.s, i + 1)
  url = url and address(url)
  if not url then return nil end
  self.tokens[opened] = { link = url }
  self:add { unlink = true }
  self.brackets = {} -- there are no links in links
  return after
end

-- What begins at byte i; returns the byte behind, or nil when it is a character.
function Reader:special(i)
  local s = self.s
  local c = s:sub(i, i)
  if c == "\\" then
    local escaped = s:match(ESCAPED, i)
    if escaped then self:add { text = escaped } end
    return escaped and i + 2
  elseif c == "`" then
    local inside, after = code(s, i, self.ends)
    self:add(inside and { code = inside } or { text = s:sub(i, after - 1) })
    return after
  elseif KINDS[c] then
    local n = #s:match("^%" .. c .. "+", i)
    local opens, closes = sides(c, n, s:sub(i - 1, i - 1), s:sub(i + n, i + n))
    local known = KINDS[c][1] or n == 2
    self:add(known and { mark = c, n = n, left = n, opens = opens, closes = closes, ends = {} }
      or { text = c:rep(n) })
    return i + n
  elseif c == "<" then
    local url, after = s:match("^<(https?://[^%s<>]+)>()", i)
    if url then self:add { text = url } end
    local behind = s:match("^<br%s*/?>()", i) -- what people write where a line cannot end
    if behind then self:add { text = "\n" } end
    return after or behind
  elseif c == "h" then -- an address has no marks in it, but behind it
    local url = s:match("^https?://[^%s<>`]+", i):match "^(.-)[*_~|%]).,:;!?]*$"
    self:add { text = url }
    return i + #url
  elseif c == "]" then
    return self:close_bracket(i)
  end
  local width = s:match("^!?%[()", i)
  if not width then return nil end
  self:add { text = s:sub(i, width - 1) }
  self.brackets[#self.brackets + 1] = #self.tokens
  return width
end

local function tokens_of(s)
  local reader = setmetatable({ s = s, tokens = {}, brackets = {}, ends = {} }, Reader)
  local plain, i = 1, 1
  while true do
    i = s:find(SPECIAL, i)
    if not i then break end
    local after
    if s:byte(i) ~= 104 or s:find("^https?://[^%s<>`]", i) then
      reader:plain(s:sub(plain, i - 1))
      plain = i
      after = reader:special(i)
    end
    plain, i = after or plain, after or i + 1
  end
  reader:plain(s:sub(plain))
  return reader.tokens
end

-- pairs -------------------------------------------------------------------------------------------

-- How many marks of two runs belong together, and what they mean; nil: none do.
local function pair_of(open, close)
  local kinds, n = KINDS[close.mark], open.left >= 2 and close.left >= 2 and 2 or 1
  -- One that could be either end pairs with what it does not add up to three with: *a**b* is one.
  if (open.closes or close.opens) and (open.n + close.n) % 3 == 0
    and not (open.n % 3 == 0 and close.n % 3 == 0) then
    return nil
  end
  return kinds[n] and n, kinds[n]
end

local function close_with(openers, t)
  local stack = openers[t.mark]
  while stack and #stack > 0 and t.left > 0 do
    local open = stack[#stack]
    local n, kind = pair_of(open.token, t)
    if not n then return end
    open.token.left, t.left = open.token.left - n, t.left - n
    t.ends[#t.ends + 1] = { kind = kind, open = open.token }
    for _, other in pairs(openers) do -- what lies between opens nothing any more
      while #other > 0 and other[#other].at > open.at do other[#other] = nil end
    end
    if open.token.left == 0 then stack[#stack] = nil end
  end
end

-- Finds for each run what it ends. Those in a link pair among themselves.
local function pair_up(tokens)
  local outside, openers = nil, {}
  for i, t in ipairs(tokens) do
    if t.link then
      outside, openers = openers, {}
    elseif t.unlink then
      openers = outside
    elseif t.mark then
      if t.closes then close_with(openers, t) end
      if t.opens and t.left > 0 then
        openers[t.mark] = openers[t.mark] or {}
        table.insert(openers[t.mark], { token = t, at = i })
      end
    end
  end
end

---Writes a paragraph.
---@param w table parley.channels.telegram.markdown.writer
---@param s string
function M.write(w, s)
  local tokens, link, from = tokens_of(s), nil, nil
  pair_up(tokens)
  for _, t in ipairs(tokens) do
    if t.text then
      w:text(t.text)
    elseif t.code then
      w:entity("code", function() w:text(t.code) end)
    elseif t.link then
      link, from = t.link, w.at
    elseif t.unlink then
      w:mark("text_link", from, w.at, { url = link })
    else
      for _, e in ipairs(t.ends) do w:mark(e.kind, e.open.begins, w.at) end
      w:text(t.mark:rep(t.left))
      t.begins = w.at
    end
  end
end

return M
