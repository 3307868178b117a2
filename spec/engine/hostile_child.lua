-- A child that has been taken over: speaks frames (host/base/frame.h) as no plugin can make it
-- speak. Run as `parley lua spec/engine/hostile_child.lua MODE` with the socket as descriptor 0.

local ffi = require "ffi"
local mode = ...

ffi.cdef [[
  ssize_t send(int, const void *, size_t, int);
  ssize_t recv(int, void *, size_t, int);
  int shutdown(int, int);
  unsigned sleep(unsigned);
  typedef struct { uint32_t size, type, id, call; } frame;
]]

local START = 4
local HELLO, OK, DONE, DOOR, FAIL = 8, 9, 10, 11, 12

local function bytes(ctype, ...)
  local v = ffi.new(ctype, ...)
  return ffi.string(v, ffi.sizeof(v))
end

local function u32(...) return bytes("uint32_t[?]", select("#", ...), ...) end

local function write(text)
  local at = 0
  while at < #text do
    local n = ffi.C.send(0, text:sub(at + 1), #text - at, 0x4000)
    if n < 0 then os.exit(1) end
    at = at + tonumber(n)
  end
end

local function send(type, id, body, call, size)
  write(bytes("frame", size or #body, type, id, call or 0) .. body)
end

local MEMORY = ("\0"):rep(24) -- what each answer begins with
local function hello() send(HELLO, 0, ("\0"):rep(24)) end
local function answer(type, id, body) send(type, id, MEMORY .. (body or "")) end

local buffer = ffi.new "char[65536]"
local pending = ""
local function read(n)
  while #pending < n do
    local got = tonumber(ffi.C.recv(0, buffer, 65536, 0))
    if got <= 0 then os.exit(0) end
    pending = pending .. ffi.string(buffer, got)
  end
  local out = pending:sub(1, n)
  pending = pending:sub(n + 1)
  return out
end

-- The next question: its type and id.
local function question()
  local head = ffi.cast("frame *", ffi.new("char[16]", read(16)))
  local size, type, id = head.size, head.type, head.id
  read(size)
  return type, id
end

-- Answers everything as it should until a call is started; returns its id.
local function until_started()
  hello()
  while true do
    local type, id = question()
    if type == START then return id end
    answer(OK, id)
  end
end

local STRING, NUMBER, TABLE = "\5", "\4", "\6"
local function text(s) return STRING .. u32(#s) .. s end

local modes = {}

-- before it is confined, as it says itself
function modes.no_hello() answer(OK, 1) end
function modes.short_hello() send(HELLO, 0, "x") end
function modes.two_hellos() hello() hello() end
function modes.garbage() write(("\255\1\254garbage"):rep(1000)) end
function modes.dies() os.exit(3) end
function modes.unfit() send(FAIL, 0, MEMORY .. u32(0, 0) .. "the kernel is too old") end

-- frames
function modes.foreign_id() answer(DONE, until_started() + 1000) end
function modes.twice() local id = until_started() answer(DONE, id) answer(DONE, id) end
function modes.unasked_type() answer(OK, until_started()) end
function modes.question_type() answer(START, until_started()) end
function modes.oversized() send(DONE, until_started(), "", 0, 2 ^ 31) end
function modes.no_memory() send(DONE, until_started(), "") end
function modes.cut_off() send(DONE, until_started(), MEMORY, 0, 1000) ffi.C.shutdown(0, 2) end
function modes.closes() until_started() ffi.C.shutdown(0, 2) ffi.C.sleep(60) end
function modes.silent() until_started() ffi.C.sleep(60) end
function modes.floods()
  local id = until_started()
  for i = 1, 1e6 do answer(DONE, id + i, ("x"):rep(65536)) end
end

-- values
local function value(name, body) modes[name] = function() answer(DONE, until_started(), body()) end end
value("kind", function() return "\200" end)
value("many_values", function() return ("\0"):rep(17) end)
value("many_pairs", function() return TABLE .. u32(0, 0xFFFFFFFF) end)
value("many_items", function() return TABLE .. u32(0x7FFFFFFF, 1) .. "\1\1" end)
value("absent_pairs", function() return TABLE .. u32(20000, 20000) end)
value("long_string", function() return STRING .. u32(0xFFFFFFFF) .. "x" end)
value("absent_string", function() return STRING .. u32(1000) .. "x" end)
value("large_string", function() return text(("x"):rep(2 ^ 20 + 1)) end)
value("deep", function() return (TABLE .. u32(0, 1) .. text "k"):rep(10000) .. "\0" end)
value("nan_key", function() return TABLE .. u32(0, 1) .. NUMBER .. bytes("double[1]", 0 / 0) .. "\2" end)
value("nil_key", function() return TABLE .. u32(0, 1) .. "\0\2" end)

-- doors and failures
function modes.door_without_name() answer(DOOR, until_started(), NUMBER .. bytes("double[1]", 1)) end
function modes.empty_door() answer(DOOR, until_started()) end
function modes.bad_code() answer(FAIL, until_started(), u32(0, 1000) .. "x") end
function modes.long_message() answer(FAIL, until_started(), u32(0, 0) .. ("x"):rep(5000)) end
function modes.short_failure() answer(FAIL, until_started(), "x") end

-- What LuaJIT keeps in the bits of a NaN must not become a pointer; and bytes that are no UTF-8.
function modes.nan_bits()
  answer(DONE, until_started(), NUMBER .. u32(0x41414141, 0xFFFFFFF4))
  ffi.C.sleep(60)
end
function modes.raw_message()
  answer(FAIL, until_started(), u32(0, 1) .. "\255\0\254 boom")
  ffi.C.sleep(60)
end

modes[mode]()
question() -- until the worker lets go
