-- Text as the classifier compares it: lower case, marks folded, punctuation gone, split into words.
--
-- The tables are filled once; folding a text is passes of string.gsub over them, which cost less
-- than decoding in Lua.

local utf8 = require "parley.util.utf8"
local folds = require "parley.nlu.fold"

local M = {}

-- What each non-ASCII character becomes; the rest is decided by range, below.
local map = {}

for plain, letters in pairs(folds) do
  for letter in letters:gmatch "[\194-\244][\128-\191]*" do map[letter] = plain end
end

-- Cyrillic: А-Я and Ѐ-Џ lie at fixed distances from their small letters, what follows in pairs.
for code = 0x410, 0x42F do map[utf8.char(code)] = utf8.char(code + 0x20) end
for code = 0x400, 0x40F do map[utf8.char(code)] = utf8.char(code + 0x50) end
for code = 0x460, 0x4BE, 2 do map[utf8.char(code)] = utf8.char(code + 1) end
for code = 0x4D0, 0x52E, 2 do map[utf8.char(code)] = utf8.char(code + 1) end
-- ё is written as е more often than not; the others with a grave are е and и under stress.
for letter, plain in pairs {
  ["ё"] = "е", ["Ё"] = "е", ["ѐ"] = "е", ["Ѐ"] = "е", ["ѝ"] = "и", ["Ѝ"] = "и",
} do
  map[letter] = plain
end

-- Apostrophes within a word are dropped, as it is written with one, another or none: п'ять, don’t.
for _, mark in ipairs { "’", "‘", "ʼ", "ʹ", "´", "′", "`" } do map[mark] = "" end

-- Letters that a decomposed text writes as two code points, but that are letters of their own.
local composed = {
  ["и\204\134"] = "й", ["И\204\134"] = "й", ["і\204\136"] = "ї", ["І\204\136"] = "ї",
}

local function by_range(code)
  if code < 0xC0 or code == 0xD7 or code == 0xF7 then return " " end -- Latin-1 signs
  if code >= 0x300 and code <= 0x36F then return "" end -- combining marks
  if code >= 0x200B and code <= 0x200F or code == 0xFEFF then return "" end -- zero width
  if code >= 0xFE00 and code <= 0xFE0F or code >= 0x1F3FB and code <= 0x1F3FF then return "" end
  if code >= 0x2600 and code <= 0x27BF or code >= 0x1F000 and code <= 0x1FAFF then
    return " " .. utf8.char(code) .. " " -- an emoji is a word
  end
  if code >= 0x2000 and code <= 0x2BFF or code >= 0x3000 and code <= 0x303F then return " " end
  if code >= 0xFF01 and code <= 0xFF5E then -- full-width ASCII
    local c = string.char(code - 0xFEE0)
    return c:find "^%w" and c:lower() or " "
  end
  if code >= 0xFF5F and code <= 0xFF65 or code == 0xFFFD then return " " end
  return nil -- a letter that stays as it is
end

setmetatable(map, { __index = function(_, s) return by_range((utf8.decode(s, 1))) end })

--- Folds a text for comparison: lower case, no marks, words separated by single spaces.
---@param s string UTF-8
---@return string
function M.normalise(s)
  s = s:lower()
  if s:find "[\128-\255]" then
    if s:find "\204[\134\136]" then
      s = s:gsub("\208[\184\152\134]\204[\134\136]", composed)
        :gsub("\209\150\204\136", composed)
    end
    s = s:gsub("[\128-\255][\128-\191]*", map)
  end
  s = s:gsub("'", ""):gsub("[%c%p%s]+", " ")
  return (s:gsub("^ ", ""):gsub(" $", ""))
end

-- Scripts that are written without spaces between words.
local function is_unspaced(code)
  return code >= 0x0E00 and code <= 0x0EFF -- Thai, Lao
    or code >= 0x3040 and code <= 0x30FF -- kana
    or code >= 0x3400 and code <= 0x9FFF or code >= 0xF900 and code <= 0xFAFF -- Han
    or code >= 0x20000 and code <= 0x3FFFF
end

local function add_run(out, run, n, limit)
  for i = 1, n do
    if #out >= limit then return end
    out[#out + 1] = run[i]
    if i < n then out[#out + 1] = run[i] .. run[i + 1] end
  end
end

-- Splits a word with unspaced writing: each character and each pair of neighbours is a word.
local function split_unspaced(out, word, limit)
  local run, n, spaced = {}, 0, 1
  local i = 1
  while i <= #word do
    local code, after = utf8.decode(word, i)
    if is_unspaced(code) then
      if spaced < i then out[#out + 1] = word:sub(spaced, i - 1) end
      n = n + 1
      run[n] = word:sub(i, after - 1)
      spaced = after
    elseif n > 0 then
      add_run(out, run, n, limit)
      run, n = {}, 0
    end
    i = after
  end
  add_run(out, run, n, limit)
  if spaced <= #word then out[#out + 1] = word:sub(spaced) end
end

--- The words of a normalised text, in order. Runs of Chinese, Japanese or Thai writing give their
--- characters and pairs of neighbouring characters.
---@param s string from normalise
---@param limit? integer at most about so many words (default 64)
---@return string[]
function M.words(s, limit)
  limit = limit or 64
  local out = {}
  for word in s:gmatch "[^ ]+" do
    if #out >= limit then break end
    if word:find "[\224-\244]" then
      split_unspaced(out, word, limit)
    else
      out[#out + 1] = word
    end
  end
  return out
end

--- The words of a text as it came.
---@param s string
---@param limit? integer
---@return string[]
function M.tokens(s, limit) return M.words(M.normalise(s), limit) end

-- Words that hold a sentence together and say little about what it wants.
local function_words = {}
for word in ([[
  a an the and or but of to in on at for from by with about into as is are was were be been am do
  does did have has had i me my we us our you your he she it its they them this that these those
  there here what when where who which how why can could will would shall should may might must
  not no so if then than just please want need like some any im id ill lets let get и а но
  или да же ли бы не ни в во на с со к ко у о об от до за из
  по под при про для без над через я мне меня мой моя
  мое мои мы нас нам наш ты тебя тебе вы вас вам ваш он
  она оно они его ее их это этот эта эти тот та те то так
  там тут здесь что чтобы как когда где кто какой какая
  какие почему зачем есть быть был была было будет
  можно нужно надо хочу хотел хотела могу может
  пожалуйста еще уже бы только і й та або але чи же не
  ні у в на з із зі до від за по під при про для без над
  через я мені мене мій моя моє мої ми нас нам наш ти
  тебе тобі ви вас вам ваш він вона воно вони його її їх
  це цей ця ці той так там тут що щоб як коли де хто який
  яка які чому є бути був була було буде можна треба
  потрібно хочу хотів хотіла можу може будь ласка ще
  вже б лише
]]):gmatch "%S+" do
  function_words[word] = true
end

--- Whether a normalised word only holds sentences together (English, Russian, Ukrainian).
---@param word string
---@return boolean
function M.is_function_word(word) return function_words[word] == true end

return M
