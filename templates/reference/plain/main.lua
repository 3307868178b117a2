local p = parley.plugin()

local LATEST = { year = 2030, month = 12, day = 24, hour = 18 }
local FIRST = { year = 2030, month = 12, day = 1 }

local function letters(text)
  local out = {}
  for _, code in utf8.codes(text) do out[#out + 1] = utf8.char(code) end
  return out
end

p.on.command("plain", function(c, text)
  local since = os.clock()
  local days = math.floor(os.difftime(os.time(LATEST), os.time(FIRST)) / 86400)
  c:reply(table.concat({
    utf8.sub(text, 1, 3), utf8.len(text), #letters(text), utf8.codepoint(text),
    os.date("%d.%m.%Y", os.time(LATEST)), days,
  }, " "))
  c.session.nothing = null
  c.log:debug("it took", { seconds = os.clock() - since })
end)

return p
