-- What people write, as the offline classifier reads it: any text has words, and an intent or none.

local json = require "host.json"
local nlu = require "parley.nlu.mock"
local text = require "parley.nlu.text"

local index = nlu.build {
  { name = "book", examples = { en = { "book a table", "a table for {n}" }, ru = { "забронировать стол" } } },
  { name = "help", examples = { en = { "help me", "how does it work" }, uk = { "допоможи мені" } } },
}

return function(bytes)
  if not json.encode(bytes) then return end -- messages are UTF-8: the HTTP API has checked it
  local folded = text.normalise(bytes)
  assert(text.normalise(folded) == folded, "folded twice, it is another text")
  for _, word in ipairs(text.words(folded)) do assert(word ~= "" and not word:find " ") end
  local result = nlu.classify(index, bytes, { locale = "ru" })
  assert(json.encode(result), "a result that cannot be stored")
end
