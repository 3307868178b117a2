-- Reminders: what and when, asked for when it is missing, kept in the session, fired by a job.

local words = require "words"

local p = parley.plugin()

local ITEMS_MAX = 50
local AHEAD_MAX = 366 * 86400
local SNOOZE = 600

local function offset(c) return words.offset(c.config.utc_offset) end

-- "18:30", or the date with it when that is another day.
local function show_time(c, at)
  local shift = offset(c)
  local form = os.date("!%d.%m", at + shift) == os.date("!%d.%m", parley.now() + shift) and "!%H:%M"
    or "!%d.%m %H:%M"
  return os.date(form, at + shift)
end

local function items(c)
  local list = c.session.items or {}
  c.session.items = list
  return list
end

local function schedule(c, id, item)
  c:schedule { at = item.at, job = "ring", data = { id = id, at = item.at } }
end

local function save(c, what, at)
  local list, count = items(c), 0
  for _ in pairs(list) do count = count + 1 end
  if count >= ITEMS_MAX then return c:reply(c:t("too_many", { n = ITEMS_MAX })) end
  local id = parley.uuid()
  list[id] = { what = what, at = at }
  schedule(c, id, list[id])
  c:reply {
    text = c:t("noted", { what = what, time = show_time(c, at) }),
    buttons = { { { text = c:t "cancel", data = { cancel = id } } } },
  }
end

local function leave(c)
  c.session.what, c.session.at, c.session.asked = nil, nil, nil
  c:leave()
end

-- Asks for what is missing, or saves.
local function proceed(c, what, at)
  if at and (at < parley.now() or at > parley.now() + AHEAD_MAX) then
    at = nil
  end
  if what == "" then what = nil end
  if what and at then
    leave(c)
    return save(c, what, at)
  end
  local asked = (c.session.asked or 0) + 1
  if asked > 3 then
    leave(c)
    return c:reply(c:t "given_up")
  end
  local again = c.session.__state == "when"
  c.session.what, c.session.at, c.session.asked = what, at, asked
  c:enter(what and "when" or "what")
  c:reply(c:t(what and (again and "when_again" or "when") or "what"))
end

local function take(c, text)
  local at, rest = words.when(text, parley.now(), offset(c))
  proceed(c, words.what(rest), at)
end

p.on.command("remind", take)
p.on.intent("reminder.create", function(c) take(c, c.message.text) end)

local function asked(use)
  return function(c, text)
    if words.is_cancel(text) then
      leave(c)
      return c:reply(c:t "cancelled")
    end
    use(c, text)
  end
end

p.on.state("when", asked(function(c, text)
  local at = words.when(text, parley.now(), offset(c))
  -- "18:30" alone, or "10 minutes", as people answer.
  at = at or words.when("at " .. text, parley.now(), offset(c))
    or words.when("in " .. text, parley.now(), offset(c))
  proceed(c, c.session.what, at)
end))

p.on.state("what", asked(function(c, text)
  local at, rest = words.when(text, parley.now(), offset(c))
  proceed(c, words.what(rest), c.session.at or at)
end))

p.on.command("reminders", function(c)
  local list = {}
  for id, item in pairs(items(c)) do
    if not item.rung then list[#list + 1] = { id = id, item = item } end
  end
  if #list == 0 then return c:reply(c:t "none") end
  table.sort(list, function(a, b) return a.item.at < b.item.at end)
  local text, rows = parley.text():line(c:t("list", { n = #list })), {}
  for _, e in ipairs(list) do
    text:bold(show_time(c, e.item.at)):line(" " .. e.item.what)
    if #rows < 20 then
      rows[#rows + 1] = { {
        text = c:t("cancel_one", { what = utf8.sub(e.item.what, 1, 30) }), data = { cancel = e.id },
      } }
    end
  end
  c:reply(text:reply { buttons = rows })
end)

p.on.job("ring", function(c, data)
  local item = items(c)[data.id]
  if not item or item.at ~= data.at then return end -- cancelled, or put off
  item.rung = true
  c:reply {
    text = "⏰ " .. item.what,
    buttons = { {
      { text = c:t("snooze", { n = SNOOZE / 60 }), data = { snooze = data.id } },
      { text = c:t "done", data = { done = data.id } },
    } },
  }
end)

-- What a button is about; it may be gone.
local function by_button(field, use)
  p.on.callback({ [field] = "string" }, function(c, data)
    local item = items(c)[data[field]]
    if not item then return c:reply(c:t "gone") end
    use(c, data[field], item)
  end)
end

by_button("cancel", function(c, id, item)
  items(c)[id] = nil
  c:reply(c:t("removed", { what = item.what }))
end)
by_button("done", function(c, id)
  items(c)[id] = nil
  c:reply(c:t "well_done")
end)
by_button("snooze", function(c, id, item)
  item.at, item.rung = parley.now() + SNOOZE, nil
  schedule(c, id, item)
  c:reply(c:t("noted", { what = item.what, time = show_time(c, item.at) }))
end)

return p
