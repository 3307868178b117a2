-- A worker with the defect that the variable SPEC_SABOTAGE names.

local core = require "parley.core"
local crypto = require "host.crypto"
local fs = require "host.fs"
local lanes = require "parley.turn.lanes"
local load = require "parley.turn.load"
local queue = require "parley.turn.queue"
local task = require "host.task"
local turns = require "parley.turn"

local defects = {}

function defects.none() end

-- Turns are answered while their transaction still waits. The next turn of the dialog waits for it, so that
-- nothing is wrong until the host is killed.
function defects.early_ack()
  local leave = lanes.leave
  function lanes:leave(key)
    task.spawn(function()
      task.sleep(0.06)
      leave(self, key)
    end)
  end
  local open = core.open
  function core.open(...)
    local c, err = open(...)
    if not c then return nil, err end
    local db = c.db
    c.turn.db = setmetatable({}, { __index = function(_, name)
      return function(_, ...) return db[name](db, ...) end
    end })
    c.turn.db.commit = function(_, statements)
      if #statements == 1 then return db:commit(statements) end
      task.spawn(function()
        task.sleep(0.05)
        db:commit(statements)
      end)
      return {}
    end
    return c
  end
end

-- As if (source, key) of inbox were not unique: each delivery of a message is another one.
function defects.no_key()
  local turn = load.turn
  function load.turn(db, t, locale)
    if t.key and not t.admitted then t.key = t.key .. crypto.hex(crypto.random(8)) end
    return turn(db, t, locale)
  end
end

-- The same for updates of Telegram.
function defects.no_key_of_updates()
  local accept = turns.accept
  function turns:accept(rows)
    for _, row in ipairs(rows) do row.key = row.key .. crypto.hex(crypto.random(8)) end
    return accept(self, rows)
  end
end

-- Updates of Telegram are confirmed while their transaction still waits.
function defects.early_confirmation()
  local accept, resume = turns.accept, turns.resume
  function turns:accept(rows)
    for _, row in ipairs(rows) do row.stored = task.cond() end
    task.spawn(function()
      task.sleep(0.1)
      accept(self, rows)
      for _, row in ipairs(rows) do
        row.is_stored = true
        row.stored:broadcast()
      end
    end)
    return rows
  end
  function turns:resume(row)
    while row.stored and not row.is_stored do row.stored:wait(1) end
    return resume(self, row)
  end
end

-- Some messages of a dialog let those go first that came after them.
function defects.order()
  local enter = lanes.enter
  function lanes:enter(...)
    if math.random() < 0.3 then task.sleep(0.03) end
    return enter(self, ...)
  end
end

-- The same for updates of Telegram.
function defects.order_of_updates()
  local add = queue.add
  function queue:add(rows)
    task.spawn(function()
      task.sleep(0.2 * math.random())
      add(self, rows)
    end)
  end
end

-- Two turns of one dialog at a time, and the later one writes over what the other has kept.
function defects.lost_update()
  local commit = require "parley.turn.commit"
  function lanes.enter() return true end
  function lanes.leave() end
  local statements = commit.statements
  function commit.statements(...)
    local list = statements(...)
    for _, s in ipairs(list) do
      if s[1]:find "^UPDATE dialogs" then
        s[1] = s[1]:gsub(" AND version = %$2$", " AND version >= $2 - 100"):gsub("version = %$2 %+ 1", "version = version + 1")
      end
    end
    return list
  end
end

-- The plugin "crasher" (or SPEC_CRASHER), in any version, can do what only a fault of the host's own C could: `SEGV()`
-- and the like end the process by that signal while the plugin is on the CPU.
function defects.crashing_code()
  local ffi = require "ffi"
  local sandbox = require "host.sandbox"
  ffi.cdef [[
    typedef int (*lua_CFunction)(void *L);
    void lua_pushcclosure(void *L, lua_CFunction f, int n);
    void lua_setfield(void *L, int at, const char *name);
    void *lua_newuserdata(void *L, size_t size);
    void lua_createtable(void *L, int array, int hash);
    int lua_setmetatable(void *L, int at);
    void *mmap(void *at, size_t size, int protection, int flags, int fd, long offset);
    int memfd_create(const char *name, unsigned flags);
    void abort(void);
  ]]
  local GLOBALS, RWX, PRIVATE, SHARED, ANONYMOUS = -10002, 7, 2, 1, 32
  local function machine(code)
    local page = ffi.C.mmap(nil, 4096, RWX, PRIVATE + ANONYMOUS, -1, 0)
    ffi.copy(page, code)
    return page
  end
  local faults = {
    SEGV = ffi.cast("void *", 16),
    ILL = machine "\x0f\x0b",             -- ud2
    FPE = machine "\x31\xc9\x31\xd2\xf7\xf1", -- 0 / 0
    BUS = ffi.C.mmap(nil, 4096, 5, SHARED, ffi.C.memfd_create("empty", 0), 0), -- behind the end of a file
    ABRT = ffi.cast("void *", ffi.C.abort),
    KILL = machine "\xb8\39\0\0\0\x0f\x05\x89\xc7\xbe\9\0\0\0\xb8\62\0\0\0\x0f\x05", -- kill(getpid(), SIGKILL)
  }
  local new, victim = sandbox.new, fs.getenv "SPEC_CRASHER" or "crasher"
  function sandbox.new(o)
    local sb, err = new(o)
    if sb and o.name:match "^[%w_]+" == victim then
      local L = ffi.cast("void ***", sb)[0][0]
      for name, code in pairs(faults) do
        ffi.C.lua_pushcclosure(L, ffi.cast("lua_CFunction", code), 0)
        ffi.C.lua_setfield(L, GLOBALS, name)
      end
      if fs.getenv "SPEC_CRASH_LATE" then -- when the state is closed
        ffi.C.lua_newuserdata(L, 8)
        ffi.C.lua_createtable(L, 0, 1)
        ffi.C.lua_pushcclosure(L, ffi.cast("lua_CFunction", faults.SEGV), 0)
        ffi.C.lua_setfield(L, -2, "__gc")
        ffi.C.lua_setmetatable(L, -2)
        ffi.C.lua_setfield(L, GLOBALS, "late")
      end
    end
    return sb, err
  end
end

defects[fs.getenv "SPEC_SABOTAGE"]()
return require "parley.worker"(select(2, ...))
