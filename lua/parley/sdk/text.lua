-- Text with formatting, built so that what users have typed cannot break it: pieces are joined as
-- they are, and what is bold or a link stands beside the text as entities (offsets and lengths in
-- UTF-16 code units, as the Bot API has them).

local misuse, show = parley.check.misuse, parley.check.show

local T = {}
local meta = { __index = T, __metatable = false } -- not T itself: a text would lead to it

local function units(s)
  local n = 0
  for _, code in utf8.codes(s) do n = n + (code > 0xFFFF and 2 or 1) end
  return n
end

local function piece(self, s, entity)
  if type(self) ~= "table" or not rawget(self, "parts") then
    misuse "text: a colon is missing: parley.text():bold(...)"
  end
  if type(s) == "number" then s = tostring(s) end
  if type(s) ~= "string" then misuse("text: a text expected, got %s", type(s)) end
  if not utf8.len(s) then misuse "text: UTF-8 expected" end
  local length = units(s)
  if entity and length > 0 then
    entity.offset, entity.length = self.length, length
    self.entities[#self.entities + 1] = entity
  end
  self.parts[#self.parts + 1] = s
  self.length = self.length + length
  return self
end

---Plain words.
function T:add(s) return piece(self, s) end
---A line's end; with a text, the text and the line's end.
function T:line(s)
  if s == nil then s = "" end
  return piece(self, (type(s) == "string" or type(s) == "number") and s .. "\n" or s)
end
for _, kind in ipairs { "bold", "italic", "underline", "strikethrough", "code", "spoiler" } do
  T[kind] = function(self, s) return piece(self, s, { type = kind }) end
end
function T:pre(s, language) return piece(self, s, { type = "pre", language = language }) end
function T:link(s, url)
  if type(url) ~= "string" or not url:find "^https?://" then
    misuse("text:link: a URL with http:// or https:// expected, got '%s'", show(url))
  end
  return piece(self, s, { type = "text_link", url = url })
end

---What c:reply takes; `more` adds buttons and the like.
function T:reply(more)
  if more ~= nil and type(more) ~= "table" then
    misuse("text:reply: a table expected, got %s", type(more))
  end
  local out = { text = table.concat(self.parts) }
  if #self.entities > 0 then out.format, out.entities = "entities", self.entities end
  for k, v in pairs(more or {}) do out[k] = v end
  return out
end

local array_mt = array_mt

---A new text: parley.text():bold("Total"):add(" 5 EUR"):reply()
function parley.text()
  return setmetatable({ parts = {}, entities = setmetatable({}, array_mt), length = 0 }, meta)
end
