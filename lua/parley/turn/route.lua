-- Where a message goes: the operator's rules first, then the classifier, then the plugins in the
-- order of the chooser.

local json = require "host.json"
local keyboards = require "parley.turn.keyboards"
local record = require "parley.turn.record"
local rules = require "parley.rules"
local terms = require "parley.turn.terms"

local M = {}

-- The plugin whose conversation is under way.
local function owner(turn)
  return turn.dialog.state.__owner
end

---What the rules say. Rules that fail cost the message nothing but their verdict.
---@param turn table turn.verdict, and turn.user.locale when a rule says so, are set
---@param generation parley.Generation
---@param log function
function M.rules(turn, generation, log)
  if generation.rules.count == 0 then return end
  local verdict, err = generation.rules:evaluate(rules.view(turn.message, {
    dialog_id = turn.dialog.id, channel = turn.dialog.channel, user = turn.user,
    state = owner(turn) and "conversation" or "idle", bot = turn.terms and turn.terms.bot,
  }))
  if err then
    record.event(turn, "rules", "rules_failed", "error", { code = err.code, message = err.message })
    log("error", "rules failed", {
      code = err.code, error = err.message, trace_id = turn.trace_id, dialog_id = turn.dialog.id,
    })
    return
  end
  if not verdict then return end
  turn.verdict = verdict
  if verdict.locale and not turn.user.chosen_locale then turn.user.locale = verdict.locale end
  record.event(turn, "rules", "rule_matched", "info", { rule = verdict.rule, tags = verdict.tags })
end

---The answer that the rules themselves give.
---@return table|nil response nil: the plugins are asked
function M.verdict(turn)
  local verdict = turn.verdict
  if not verdict then return nil end
  if verdict.drop then return { actions = json.array() } end
  if verdict.reply then
    return { actions = json.array { { type = "send", text = verdict.reply } } }
  end
end

-- What the message means, by the configured provider or, when it fails, offline.
local function classify(turn, generation, text)
  local result = generation.llm:classify(text, generation.intents, {
    index = generation.index, locale = turn.user.locale, trace_id = turn.trace_id,
  })
  if result.usage then record.usage(turn, result.usage) end
  local failure = result.fallback_error
  if failure then
    record.event(turn, "llm", "llm_fallback", "warning",
      {
        code = failure.code, message = failure.message, retryable = failure.retryable,
        provider = failure.provider, http_status = failure.http_status, attempt = failure.attempt,
      })
  end
  turn.intent = {
    name = result.name, confidence = result.confidence, source = result.source,
    alternatives = result.alternatives,
  }
end

-- What the chooser looks at, whatever it is that is to be chosen for.
local function input_for(turn, input)
  input.channel, input.role = turn.dialog.channel, turn.user.role
  input.locale, input.state = turn.user.locale, owner(turn) and "conversation" or "idle"
  input.only = turn.terms and turn.terms.plugins
  return input
end

---The plugins that an `invoke` asks for, best first.
---@param action {plugin: string|nil, intent: string|nil}
---@return parley.Plugin[]
function M.invited(turn, generation, action)
  return generation.chooser:choose(input_for(turn, {
    verdict = { plugin = action.plugin, intent = action.intent },
  }))
end

---The plugins that may take the message, best first; the fallback is always the last.
---@param turn table turn.intent is set; it waits when a provider is configured
---@param generation parley.Generation
---@return parley.Plugin[]
function M.candidates(turn, generation)
  if turn.job then
    local plugin = generation.chooser.by_name[turn.job.plugin]
    local only = turn.terms and turn.terms.plugins
    local may = plugin and plugin.state ~= "disabled" and (not only or only[plugin.name])
    return { may and plugin or nil }
  end
  local message = turn.message
  local text = message.text
  -- A command says itself what it is.
  if message.type == "text" and text and text:byte(1) ~= 47 then
    classify(turn, generation, text)
  end
  local list = generation.chooser:choose(input_for(turn, {
    text = text, type = message.type, payload = message.payload, owner = owner(turn),
    keyboard = keyboards.owner(turn),
    intent = turn.intent, verdict = turn.verdict,
  }))
  local fallback = terms.fallback(turn.terms, generation)
  for i = #list, 1, -1 do
    if list[i] == fallback then table.remove(list, i) end
  end
  list[#list + 1] = fallback
  return list
end

return M
