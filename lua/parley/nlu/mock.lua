-- The classifier that needs no network: compares a message with the intents' example phrases.
--
-- Both are folded and split into words (text.lua). A word of the message counts for an example when
-- the example has it, or has one like it: a typing mistake away, or with another ending. Words that
-- few intents use count more (inverse document frequency), words that only hold a sentence together
-- count little. The score is the geometric mean of two shares: how much of the example is in the
-- message, and how much of the message the intent knows.
--
-- The index holds, per word, the examples that have it, so that a message touches only what it
-- could mean. Similar words are found by their character bigrams. classify does not wait and the
-- scratch tables are the index's own: an index belongs to one Lua state.

local text = require "parley.nlu.text"
local utf8 = require "parley.util.utf8"
local distance = require "parley.util.edit_distance"

local log, sqrt, floor, min, max = math.log, math.sqrt, math.floor, math.min, math.max

local M = {}

local MESSAGE_BYTES = 2048 -- what lies beyond decides no intent, and would only cost time
local MESSAGE_WORDS = 64
local LETTERS = 24         -- of a word, when it is compared with others
local ALTERNATIVES = 3
local FUNCTION_WORD = 0.3  -- their weight, against 1 for others
local UNKNOWN = 0.6        -- a word that no intent knows speaks for none, but less for all
local CANDIDATES = 8       -- similar words that are looked at closely
local SHARPNESS = 1.4      -- bends the score so that unrelated messages end below 0.3
local NOT_EXACT = 0.97     -- the same words in another order or form are not the example itself

---@class parley.nlu.Intent
---@field name string
---@field examples string[]
---@field locales? string[] the languages it understands; absent: all

---@class parley.nlu.Result
---@field name? string the best, however weak; nil when nothing is alike
---@field confidence number 0 to 1; an example itself 1, a paraphrase 0.6 to 0.9, others below 0.3
---@field source string "mock", or the provider that answered
---@field alternatives {name: string, confidence: number}[] the next ones, best first

-- What a word is worth before it is known how common it is.
local function prior(word)
  if text.is_function_word(word) or word:find "^%d+$" then return FUNCTION_WORD end
  -- A single character of unspaced writing says less than the pairs that it stands in.
  if #word >= 3 and #word <= 4 and word:find "^[\224-\244]" then return 0.4 end
  return 1
end

local function letters(word)
  local codes, n = utf8.codes(word)
  return codes, min(n, LETTERS)
end

-- The bigrams of a word with its edges marked; a number each, as code points stay below 2^21.
local function each_bigram(codes, n, f)
  local previous = 0
  for i = 1, n do
    f(previous * 2097152 + codes[i])
    previous = codes[i]
  end
  f(previous * 2097152)
end

--- Builds the index of a generation's intents.
---@param intents parley.nlu.Intent[]
---@param pause? fun() called between them (parley.util.pace)
---@return table index for classify
function M.build(intents, pause)
  local index = {
    intents = {},      -- number -> {name, locales}
    exact = {},        -- folded example -> numbers of the intents
    example_intent = {}, example_weight = {},
    vocabulary = {},   -- word -> number
    word_codes = {}, word_length = {}, word_weight = {},
    word_examples = {}, -- word number -> numbers of the examples
    bigrams = {},      -- bigram -> word numbers
    -- scratch of classify
    found = {}, in_example = {}, in_message = {}, in_intent = {}, example_stamp = {},
    intent_stamp = {}, shared = {}, unknown = {}, unknown_count = 0,
  }
  local intents_with = {} -- word number -> intents that have it
  local example_words = {}

  local function word_number(word)
    local w = index.vocabulary[word]
    if w then return w end
    w = #index.word_length + 1
    index.vocabulary[word] = w
    local codes, n = letters(word)
    index.word_codes[w], index.word_length[w] = codes, n
    index.word_examples[w], intents_with[w] = {}, {}
    each_bigram(codes, n, function(key)
      local list = index.bigrams[key]
      if not list then
        list = {}
        index.bigrams[key] = list
      end
      if list[#list] ~= w then list[#list + 1] = w end
    end)
    return w
  end

  for i, intent in ipairs(intents) do
    local locales
    for _, locale in ipairs(intent.locales or {}) do
      locales = locales or {}
      locales[locale:match "^%a+"] = true
    end
    index.intents[i] = { name = intent.name, locales = locales }
    if pause then pause() end
    for _, phrase in ipairs(intent.examples or {}) do
      local folded = text.normalise(phrase)
      local holders = index.exact[folded]
      if not holders then
        holders = {}
        index.exact[folded] = holders
      end
      if folded ~= "" and holders[#holders] ~= i then
        holders[#holders + 1] = i
        local e = #index.example_intent + 1
        index.example_intent[e] = i
        local words = {}
        for _, word in ipairs(text.words(folded, MESSAGE_WORDS)) do
          local w = word_number(word)
          if not words[w] then
            words[w] = true
            intents_with[w][i] = true
            table.insert(index.word_examples[w], e)
          end
        end
        example_words[e] = words
      end
    end
  end

  local scale = log(1 + #intents)
  for word, w in pairs(index.vocabulary) do
    local count = 0
    for _ in pairs(intents_with[w]) do count = count + 1 end
    index.word_weight[w] = prior(word) * log(1 + #intents / count) / scale
    index.shared[w] = 0
  end
  for e, words in ipairs(example_words) do
    local sum = 0
    for w in pairs(words) do sum = sum + index.word_weight[w] end
    index.example_weight[e] = sum
    index.in_example[e], index.in_message[e], index.example_stamp[e] = 0, 0, 0
  end
  for i = 1, #index.intents do index.in_intent[i], index.intent_stamp[i] = 0, 0 end
  return index
end

-- How alike two different words are: 0, or 0.5 to 0.9.
local function likeness(a, n, b, m)
  local short, long = min(n, m), max(n, m)
  local best = 0
  -- One mistake in a word of four letters and more, two from eight on: in shorter ones a mistake
  -- makes another word.
  local limit = short >= 8 and 2 or short >= 4 and 1 or 0
  if limit > 0 then
    local d = distance(a, n, b, m, limit)
    if d then best = 1 - 0.15 * d end
  end
  -- Another ending: the beginning is the same, at least four letters and most of the shorter word.
  local p = 0
  while p < short and a[p + 1] == b[p + 1] do p = p + 1 end
  if p >= 4 and p >= 0.7 * short and p >= 0.5 * long then
    best = max(best, 0.9 - 0.04 * (n + m - 2 * p))
  end
  return best
end

-- Puts an item into the list of the `limit` best ones. Equals stay in the order in which they came.
local function keep_best(list, limit, item, value, values)
  local n = #list
  if n == limit and value <= values[n] then return end
  local at = n < limit and n + 1 or n
  while at > 1 and values[at - 1] < value do
    list[at], values[at] = list[at - 1], values[at - 1]
    at = at - 1
  end
  list[at], values[at] = item, value
end

-- The words of the index that are like one that it does not have, best first, and how alike.
local function similar_words(index, word)
  local codes, n = letters(word)
  if n < 4 or word:find "^%d+$" then return {}, {} end
  local shared, touched, count = index.shared, index.unknown, 0
  local bigrams = index.bigrams
  local previous = 0
  for i = 1, n + 1 do
    local code = codes[i]
    if i > n then code = 0 end
    local list = bigrams[previous * 2097152 + code]
    previous = code
    if list then
      for k = 1, #list do
        local w = list[k]
        local s = shared[w]
        if s == 0 then
          count = count + 1
          touched[count] = w
        end
        shared[w] = s + 1
      end
    end
  end
  -- Dice's coefficient tells who is worth a closer look: what likeness() accepts has 0.4 and more.
  local candidates, dices = {}, {}
  for k = 1, count do
    local w = touched[k]
    local dice = 2 * shared[w] / (n + 1 + index.word_length[w] + 1)
    shared[w] = 0
    if dice >= 0.4 then keep_best(candidates, CANDIDATES, w, dice, dices) end
  end
  local words, values = {}, {}
  for k = 1, #candidates do
    local w = candidates[k]
    local value = likeness(codes, n, index.word_codes[w], index.word_length[w])
    if value > 0 then keep_best(words, CANDIDATES, w, value, values) end
  end
  return words, values
end

local function fits(intent, language)
  return not language or not intent.locales or intent.locales[language] == true
end

-- Adds one word of the message, of the given weight, to what it has in common with each example.
local function credit(index, w, alike, weight, stamp, touched)
  local best = index.found[w] or 0
  local gain = alike > best and (alike - best) * index.word_weight[w] or 0
  if gain > 0 then
    if best == 0 then touched.words[#touched.words + 1] = w end
    index.found[w] = alike
  end
  local in_example, in_message, in_intent = index.in_example, index.in_message, index.in_intent
  local example_stamp, intent_stamp = index.example_stamp, index.intent_stamp
  local examples, example_intent = index.word_examples[w], index.example_intent
  local part = weight * alike
  for k = 1, #examples do
    local e = examples[k]
    if example_stamp[e] == 0 then touched.examples[#touched.examples + 1] = e end
    in_example[e] = in_example[e] + gain
    -- Words come best first, so that the first one of the message's word is the one that counts.
    if example_stamp[e] ~= stamp then
      example_stamp[e] = stamp
      in_message[e] = in_message[e] + part
    end
    local i = example_intent[e]
    if intent_stamp[i] ~= stamp then
      if intent_stamp[i] == 0 then touched.intents[#touched.intents + 1] = i end
      intent_stamp[i] = stamp
      in_intent[i] = in_intent[i] + part
    end
  end
end

-- The best score of each intent that has something in common with the message, by its number, and
-- the numbers in an order that depends on nothing but the message and the catalogue.
local function score(index, folded)
  local touched = { words = {}, examples = {}, intents = {} }
  local total = 0
  local seen = {}
  for _, word in ipairs(text.words(folded, MESSAGE_WORDS)) do
    if not seen[word] then
      seen[word] = true
      local w = index.vocabulary[word]
      local stamp = #touched + 1
      touched[stamp] = true
      if w then
        local weight = index.word_weight[w]
        total = total + weight
        credit(index, w, 1, weight, stamp, touched)
      else
        local words, values = similar_words(index, word)
        local weight = words[1] and index.word_weight[words[1]] or prior(word) * UNKNOWN
        total = total + weight
        for k = 1, #words do credit(index, words[k], values[k], weight, stamp, touched) end
      end
    end
  end

  local best = {}
  for _, e in ipairs(touched.examples) do
    local i = index.example_intent[e]
    -- A paraphrase takes words from the intent's other examples too.
    local known = (0.6 * index.in_message[e] + 0.4 * index.in_intent[i]) / total
    local s = sqrt(index.in_example[e] / index.example_weight[e] * known)
    if s > (best[i] or 0) then best[i] = s end
  end

  for _, w in ipairs(touched.words) do index.found[w] = nil end
  for _, e in ipairs(touched.examples) do
    index.in_example[e], index.in_message[e], index.example_stamp[e] = 0, 0, 0
  end
  for _, i in ipairs(touched.intents) do index.in_intent[i], index.intent_stamp[i] = 0, 0 end
  return best, touched.intents
end

--- Says which intent a message most probably has.
---@param index table from build
---@param message string UTF-8
---@param opts? {locale?: string, alternatives?: integer} the user's locale: intents that do not
---   understand it are left out; how many alternatives to name (default 3)
---@return parley.nlu.Result
function M.classify(index, message, opts)
  opts = opts or {}
  local language = opts.locale and opts.locale:match "^%a+"
  local keep = (opts.alternatives or ALTERNATIVES) + 1
  if #message > MESSAGE_BYTES then
    message = message:sub(1, MESSAGE_BYTES):gsub("[\192-\255][\128-\191]*$", "")
  end
  local folded = text.normalise(message)
  local ranked, values = {}, {}
  if folded ~= "" then
    local exact = {}
    for _, i in ipairs(index.exact[folded] or {}) do exact[i] = true end
    local best, order = score(index, folded)
    for _, i in ipairs(order) do
      if fits(index.intents[i], language) then
        local confidence = exact[i] and 1 or min(NOT_EXACT, (best[i] or 0) ^ SHARPNESS)
        keep_best(ranked, keep, i, confidence, values)
      end
    end
  end
  local function item(k)
    local confidence = floor(values[k] * 1000 + 0.5) / 1000
    return { name = index.intents[ranked[k]].name, confidence = confidence }
  end
  local first = ranked[1] and item(1)
  local result = {
    name = first and first.name, confidence = first and first.confidence or 0, source = "mock",
    alternatives = {},
  }
  for k = 2, #ranked do result.alternatives[k - 1] = item(k) end
  return result
end

return M
