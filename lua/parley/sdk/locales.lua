-- c:t: the texts of locales/*.json in the user's language, with values and plurals.

local _, locales = ...
local host, check, C = host, parley.check, parley.methods
local misuse = check.misuse

-- Plural categories (CLDR) of the locales that ship.
local function slavic(n)
  if n % 1 ~= 0 then return "other" end
  local d, h = n % 10, n % 100
  if d == 1 and h ~= 11 then return "one" end
  if d >= 2 and d <= 4 and (h < 12 or h > 14) then return "few" end
  return "many"
end
local PLURAL = {
  en = function(n) return n == 1 and "one" or "other" end,
  ru = slavic,
  uk = slavic,
}

local names = {} -- of the locales, in an order that is always the same
for name in pairs(locales) do names[#names + 1] = name end
table.sort(names)

-- uk-UA, then uk, then en, then whichever has it; and the language of the text that was found,
-- whose plurals it has.
local function lookup(locale, key)
  local language = locale:match "^%a+" or "en"
  for _, name in ipairs { locale, language, "en", unpack(names) } do
    local texts = locales[name]
    if texts and texts[key] ~= nil then return texts[key], name:match "^%a+" end
  end
end

local missing, MISSING_MAX = {}, 100 -- keys that the log has been told of

-- Users read the key: whoever writes the plugin is told once.
local function tell(key)
  if missing[key] or #missing == MISSING_MAX then return key end
  missing[key], missing[#missing + 1] = true, key
  local known = {}
  for _, texts in pairs(locales) do
    for other in pairs(texts) do known[other] = true end
  end
  host("log", "warn", ("%st: no locales/*.json has '%s', so users read the key%s"):format(
    check.position(), key, check.hint(key, known)))
  return key
end

---@param key string
---@param params table|nil values for {name}; `n` chooses the plural
---@return string
function C:t(key, params)
  check.context(self, "t")
  if type(key) ~= "string" then misuse("t: the key of a text expected, got %s", type(key)) end
  if params ~= nil and type(params) ~= "table" then
    misuse("t: a table of values expected, got %s", type(params))
  end
  local text, language = lookup(self.locale, key)
  if text == nil then return tell(key) end
  if type(text) == "table" then
    local n = params and type(params.n) == "number" and params.n or 0
    local rule = PLURAL[language] or PLURAL.en
    text = text[rule(n)] or text.other or text.many or key
  end
  local unwritable
  text = text:gsub("{(%w+)}", function(name)
    local v = params and params[name]
    if v == nil then return "{" .. name .. "}" end
    local good, written = pcall(tostring, v)
    if good then return written end
    unwritable = name
  end)
  if unwritable then misuse("t: the __tostring of '%s' fails", unwritable) end
  return text
end
