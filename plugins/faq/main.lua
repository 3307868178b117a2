-- Answers to frequent questions. Which question a message asks is the classifier's to say: the
-- intents of the manifest, and those that the operator adds in plugins.faq.intents. The answers are
-- in plugins.faq.answers, by intent; the ones about Parley itself are in locales/.

local p = parley.plugin()

local SHIPPED = { "faq.about", "faq.data", "faq.plugin" }
local SURE = 0.75 -- below it the other possible questions are offered too

-- An answer of the configuration in the user's language: { title =, text =, link = }.
local function configured(c, intent)
  local answer = (c.config.answers or {})[intent]
  if type(answer) == "table" and not answer.text then
    answer = answer[c.locale] or answer[c.locale:match "^%a+"] or answer.en
      or select(2, next(answer))
  end
  if type(answer) == "string" then return { text = answer } end
  return answer
end

local function shipped(c, intent)
  for _, name in ipairs(SHIPPED) do
    if name == intent then
      return { title = c:t(intent .. ".title"), text = c:t(intent .. ".text") }
    end
  end
end

local function find(c, intent)
  return configured(c, intent) or shipped(c, intent)
end

-- The words of a question's button.
local function label(c, intent)
  local answer = find(c, intent)
  if not answer then return nil end
  return answer.title or utf8.sub(answer.text, 1, 40)
end

local function buttons_for(c, intents, except)
  local rows = {}
  for _, intent in ipairs(intents) do
    local text = intent ~= except and label(c, intent)
    if text and #rows < 8 then rows[#rows + 1] = { { text = text, data = { q = intent } } } end
  end
  return #rows > 0 and rows or nil
end

local function send(c, intent, others)
  local answer = find(c, intent)
  local text = parley.text()
  if answer.title then text:bold(answer.title):line() end
  text:add(answer.text)
  if answer.link then text:line():link(answer.link, answer.link) end
  c:reply(text:reply { buttons = buttons_for(c, others or {}, intent) })
end

local function all(c)
  local names, seen = {}, {}
  for intent in pairs(c.config.answers or {}) do names[#names + 1] = intent end
  table.sort(names)
  for _, intent in ipairs(names) do seen[intent] = true end
  for _, intent in ipairs(SHIPPED) do
    if not seen[intent] then names[#names + 1] = intent end
  end
  return names
end

p.on.command("faq", function(c)
  c:reply { text = c:t "choose", buttons = buttons_for(c, all(c)) }
end)

p.on.callback({ q = "string" }, function(c, data)
  if not find(c, data.q) then return c:reply(c:t "gone") end
  send(c, data.q)
end)

p.on.any(function(c)
  local intent = c.intent
  if not (intent and intent.name and find(c, intent.name)) then return c:decline() end
  local others = {}
  if intent.confidence < SURE then
    for _, other in ipairs(intent.alternatives or {}) do others[#others + 1] = other.name end
  end
  send(c, intent.name, others)
end)

return p
