-- Confines itself, then does one thing. Run as `parley lua spec/engine/confined.lua WHAT`: exits
-- with 0 when it could be done, 1 when the kernel refused it with an error; a signal otherwise.

local ffi = require "ffi"
local what = ...

require("jit").off() -- it makes memory executable

ffi.cdef [[
  int pl_confine(uint32_t *landlock, void *err);
  int pl_confine_files(uint32_t *landlock, void *err);
  int openat(int, const char *, int, ...);
  int socket(int, int, int);
  int fork(void);
  int execve(const char *, char *const[], char *const[]);
  int kill(int, int);
  int getppid(void);
  long ptrace(int, int, void *, void *);
  long syscall(long, ...);
  void *mmap(void *, size_t, int, int, int, long);
  int mprotect(void *, size_t, int);
  ssize_t sendto(int, const void *, size_t, int, const void *, unsigned);
  ssize_t write(int, const void *, size_t);
  int setrlimit(int, const uint64_t *);
  int socketpair(int, int, int, int *);
  int dup2(int, int);
  int sched_yield(void);
  void _exit(int);
]]
local C = ffi.C

local page = C.mmap(nil, 4096, 3, 0x22, -1, 0)
local ends = ffi.new "int[2]"
assert(C.socketpair(1, 1, 0, ends) == 0)
assert(C.dup2(ends[0], 0) == 0)

local parent = C.getppid()
local landlock, err = ffi.new "uint32_t[1]", ffi.new "char[1024]"

-- One wall alone: an error says no, and nobody is killed.
if what == "landlock" then
  if C.pl_confine_files(landlock, err) ~= 0 then C._exit(99) end
  C._exit(landlock[0] == 0 and 2 or C.openat(-100, "/etc/passwd", 0) < 0 and 1 or 0)
end

if C.pl_confine(landlock, err) ~= 0 then C._exit(99) end

local things = {
  nothing = function() return 0 end,
  memory = function() return C.mmap(nil, 2 ^ 20, 3, 0x22, -1, 0) == ffi.cast("void *", -1) and -1 or 0 end,
  socket_zero = function() C.sendto(0, "x", 1, 0x4000, nil, 0) return 0 end,
  open = function() return C.openat(-100, "/etc/passwd", 0) end,
  open_self = function() return C.openat(-100, "/proc/self/environ", 0) end,
  socket = function() return C.socket(2, 1, 0) end,
  fork = function() return C.fork() end,
  clone = function() return C.syscall(56, 0x11, 0, 0, 0, 0) end,
  vfork = function() return C.syscall(58) end,
  clone3 = function() return C.syscall(435, page, 88) end,
  exec = function() return C.execve("/bin/true", ffi.new "char *[1]", ffi.new "char *[1]") end,
  kill_parent = function() return C.kill(parent, 0) end,
  ptrace = function() return C.ptrace(16, parent, nil, nil) end,
  read_other = function() return C.syscall(310, parent, nil, 0, nil, 0, 0) end, -- process_vm_readv
  executable = function() return C.mmap(nil, 4096, 7, 0x22, -1, 0) == ffi.cast("void *", -1) and -1 or 0 end,
  make_executable = function() return C.mprotect(page, 4096, 5) end,
  map_file = function() return C.mmap(nil, 4096, 1, 2, 0, 0) == ffi.cast("void *", -1) and -1 or 0 end,
  write_stderr = function() return C.write(2, "x", 1) end,
  other_descriptor = function() return C.sendto(ends[1], "x", 1, 0, nil, 0) end,
  raise_limit = function() return C.setrlimit(7, ffi.new("uint64_t[2]", { 1024, 1024 })) end,
  io_uring = function() return C.syscall(425, 8, page) end,
  bpf = function() return C.syscall(321, 0, page, 64) end,
  userfaultfd = function() return C.syscall(323, 0) end,
  x32 = function() return C.syscall(0x40000000 + 39) end,
}

C._exit(things[what]() < 0 and 1 or 0)
