local json = require "host.json"
local exposition = require "parley.ops.exposition"
local merge = require "parley.ops.merge"
local metrics = require "parley.ops.metrics"

local function lines(text)
  local out = {}
  for line in text:gmatch "[^\n]+" do
    if line:sub(1, 1) ~= "#" then out[#out + 1] = line end
  end
  return out
end

describe("metrics", function()
  local r
  before_each(function() r = metrics.new() end)

  it("are written in the Prometheus text form", function()
    local c = r:counter("a_total", "Help with \\ and\nnewline.", { "x", "y" })
    c:with("1", 'q"\\\n'):inc()
    c:with("1", 'q"\\\n'):inc(2.5)
    r:gauge("b", "A gauge."):set(-3)
    assert.equal(table.concat({
      "# HELP a_total Help with \\\\ and\\nnewline.",
      "# TYPE a_total counter",
      'a_total{x="1",y="q\\"\\\\\\n"} 3.5',
      "# HELP b A gauge.",
      "# TYPE b gauge",
      "b -3",
      "",
    }, "\n"), r:render())
  end)

  it("write numbers exactly", function()
    local g = r:gauge("g", "G.")
    for value, text in pairs { [0.1] = "0.1", [2 ^ 53 - 1] = "9007199254740991", [1 / 3] = "0.33333333333333331",
      [math.huge] = "+Inf", [-math.huge] = "-Inf", [1e300] = "1e+300", [0] = "0" } do
      g:set(value)
      assert.equal("g " .. text, lines(r:render())[1])
    end
    g:set(0 / 0)
    assert.equal("g NaN", lines(r:render())[1])
  end)

  it("count observations at most as large as each bound", function()
    local h = r:histogram("h_seconds", "H.", { "p" }, { 0.1, 1, 10 })
    for _, v in ipairs { 0.05, 0.1, 0.5, 1, 1.5, 11, 0 / 0 } do h:with("x"):observe(v) end
    assert.same({
      'h_seconds_bucket{p="x",le="0.1"} 2',
      'h_seconds_bucket{p="x",le="1"} 4',
      'h_seconds_bucket{p="x",le="10"} 5',
      'h_seconds_bucket{p="x",le="+Inf"} 6',
      'h_seconds_sum{p="x"} 14.15',
      'h_seconds_count{p="x"} 6',
    }, lines(r:render()))
  end)

  it("give the same series for the same labels", function()
    local c = r:counter("c_total", "C.", { "status" })
    assert.equal(c:with(200), c:with "200")
    assert.equal(c:with(("é"):rep(64)), c:with(("é"):rep(65)))
    assert.is_not.equal(c:with "a", c:with "b")
    local o = r:counter("o_total", "O.", { "x" }, { max_series = 1 })
    o:with("other"):inc()
    o:with("late"):inc()
    assert.is_truthy(r:render():find('o_total{x="other"} 2\n', 1, true))
    local d = r:counter("d_total", "D.", { "x", "y" })
    assert.is_not.equal(d:with("a", "bc"), d:with("ab", "c"))
  end)

  it("keep a bounded number of series, whatever the labels", function()
    local c = r:counter("c_total", "C.", { "id" }, { max_series = 10 })
    for i = 1, 10000 do c:with("user" .. i .. ("x"):rep(100)):inc() end
    for i = 1, 10000 do c:with(("y"):rep(64) .. i):inc() end
    local seen, sum = lines(r:render()), 0
    assert.equal(11, #seen)
    for _, line in ipairs(seen) do sum = sum + tonumber(line:match " (%d+)$") end
    assert.equal(20000, sum)
    assert.is_true(c.keys <= 20)
    local other
    for _, line in ipairs(seen) do other = other or line:match '^c_total{id="other"} (%d+)$' end
    assert.equal(19990, tonumber(other))
  end)

  it("stay valid UTF-8", function()
    r:counter("c_total", "C.", { "x" }):with("a\255" .. ("é"):rep(100) .. "\226\130"):inc()
    assert(json.encode(r:render()))
  end)

  it("of several workers are added up, through JSON", function()
    local function worker(n, extra)
      local w = metrics.new()
      w:counter("c_total", "C.", { "x" }):with("a"):inc(n)
      w:gauge("g", "G."):set(n)
      w:histogram("h", "H.", nil, { 1, 2 }):observe(n)
      if extra then
        w:counter("only_total", "O."):inc(7)
        w.by_name.c_total:with("b"):inc(1)
      end
      return json.decode((json.encode(w:snapshot())))
    end
    local text = exposition.render(merge.all { worker(1), worker(2, true), worker(3) })
    assert.same({ 'c_total{x="a"} 6', 'c_total{x="b"} 1', "g 6", 'h_bucket{le="1"} 1', 'h_bucket{le="2"} 2',
      'h_bucket{le="+Inf"} 3', "h_sum 6", "h_count 3", "only_total 7" }, lines(text))
  end)

  it("of several workers are the largest when the metric says so", function()
    local function worker(n)
      local w = metrics.new()
      w:gauge("g", "G.", { "x" }, { merge = "max" }):with("a"):set(n)
      return w:snapshot()
    end
    assert.same({ 'g{x="a"} 5' }, lines(exposition.render(merge.all { worker(2), worker(5), worker(-1) })))
  end)

  it("of several workers keep a bounded number of series together", function()
    local function worker(from)
      local w = metrics.new()
      local c = w:counter("c_total", "C.", { "x", "y" }, { max_series = 3 })
      for i = from, from + 2 do c:with(i, "y"):inc(i) end
      return w:snapshot()
    end
    assert.same({ 'c_total{x="1",y="y"} 1', 'c_total{x="2",y="y"} 2', 'c_total{x="3",y="y"} 6',
      'c_total{x="other",y="other"} 27' }, lines(exposition.render(merge.all { worker(1), worker(3), worker(5) })))
  end)

  it("are left as they were by what adds them up", function()
    r:counter("c_total", "C."):inc(1)
    r:histogram("h", "H.", nil, { 1 }):observe(1)
    local first = r:snapshot()
    local before = json.encode(first, { sorted = true })
    merge.all { first, first }
    assert.equal(before, json.encode(first, { sorted = true }))
    assert.equal(1, r.by_name.c_total.series[1].value)
  end)

  it("of a worker that has gone are its totals", function()
    r:counter("c_total", "C."):inc(1)
    r:gauge("g", "G."):set(1)
    r:histogram("h", "H.", nil, { 1 }):observe(1)
    assert.same({ "c_total 1", 'h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 1', "h_sum 1", "h_count 1" },
      lines(exposition.render(merge.totals(r:snapshot()))))
  end)

  it("forget what has gone when they are gauges", function()
    local g = r:gauge("g", "G.", { "x" })
    g:with("a"):set(1)
    g:clear()
    g:with("b"):set(2)
    assert.same({ 'g{x="b"} 2' }, lines(r:render()))
    assert.has_error(function() r:counter("c_total", "C.", { "x" }):clear() end, "c_total: only a gauge may forget")
  end)

  it("are brought up to date when they are read", function()
    local g, n = r:gauge("g", "G."), 0
    r:on_collect(function() n = n + 1 g:set(n) end)
    assert.equal("g 1", lines(r:render())[1])
    assert.equal("g 2", lines(r:render())[1])
  end)

  it("refuse misuse", function()
    r:counter("c_total", "C.", { "x" })
    for _, bad in ipairs {
      function() r:counter("c_total", "again") end, function() r:counter("c", "no _total") end,
      function() r:gauge("1x", "name") end, function() r:gauge("x", "label", { "le" }) end,
      function() r:gauge("z", "rule", nil, { merge = "mean" }) end,
      function() r:gauge("y", "label", { "a-b" }) end, function() r:histogram("h", "H.", nil, { 2, 1 }) end,
      function() r.by_name.c_total:with() end, function() r.by_name.c_total:with(nil) end,
      function() r.by_name.c_total:with("a", "b") end, function() r.by_name.c_total:with("a"):inc(-1) end,
      function() r.by_name.c_total:with("a"):inc(0 / 0) end,
    } do assert.has_error(bad) end
  end)
end)
