-- Data: tables, sorting, encoding.

return {
  { name = "sorts by a field, and by two", must = { gives = { { "b", "a", "c" } } }, source = [[
    local t = { { n = "a", k = 2 }, { n = "b", k = 1 }, { n = "c", k = 2 } }
    table.sort(t, function(x, y) if x.k ~= y.k then return x.k < y.k end return x.n < y.n end)
    return { t[1].n, t[2].n, t[3].n }]] },
  { name = "sorts many numbers", must = { gives = { true } }, source = [[
    local t = {}
    for i = 1, 20000 do t[i] = (i * 7919) % 20011 end
    table.sort(t)
    for i = 2, #t do if t[i - 1] > t[i] then return false end end
    return true]] },
  { name = "sorts texts downwards", must = { gives = { { "c", "b", "a" } } },
    source = "local t = { 'b', 'c', 'a' } table.sort(t, function(a, b) return a > b end) return t" },
  { name = "sorts with a comparator that catches errors", must = { gives = { { 1, 2, 3 } } }, source = [[
    local t = { 3, 1, 2 }
    table.sort(t, function(a, b)
      local ok, less = pcall(function() if a == b then error "equal" end return a < b end)
      return ok and less
    end)
    return t]] },
  { name = "sorts with a comparator that sorts", must = { gives = { { "ab", "bc" } } }, source = [[
    local function sorted(s) local t = { s:byte(1, -1) } table.sort(t) return string.char(unpack(t)) end
    local t = { "cb", "ba" }
    table.sort(t, function(a, b) return sorted(a) < sorted(b) end)
    return { sorted(t[1]), sorted(t[2]) }]] },
  { name = "keeps a stack and a queue", must = { gives = { 3, 1, 2 } }, source = [[
    local t = {}
    for i = 1, 3 do table.insert(t, i) end
    local top = table.remove(t)
    table.insert(t, 1, 0)
    table.remove(t, 1)
    return top, table.remove(t, 1), #t + 1]] },
  { name = "inserts in the middle", must = { gives = { { 1, 2, 3, 4 } } },
    source = "local t = { 1, 2, 4 } table.insert(t, 3, 3) return t" },
  { name = "unpacks lists", must = { gives = { 1, 2, 3, 2, 3 } },
    source = "local t = { 1, 2, 3 } local a, b, c = unpack(t) return a, b, c, unpack(t, 2)" },
  { name = "walks lists and maps", must = { gives = { 6, 3, 2 } }, source = [[
    local sum, keys, holes = 0, 0, 0
    for _, v in ipairs { 1, 2, 3 } do sum = sum + v end
    for _ in pairs { a = 1, b = 2, 3 } do keys = keys + 1 end
    for _ in ipairs { 1, 2, nil, 4 } do holes = holes + 1 end
    return sum, keys, holes]] },
  { name = "takes entries away while it walks", must = { gives = { 0 } }, source = [[
    local t, n = {}, 0
    for i = 1, 1000 do t["k" .. i] = i end
    for k in pairs(t) do t[k] = nil end
    for _ in pairs(t) do n = n + 1 end
    return n]] },
  { name = "copies a nested table", must = { gives = { { 1, { 2, { 3 } } }, false } }, source = [[
    local function copy(v)
      if type(v) ~= "table" then return v end
      local t = {}
      for k, x in pairs(v) do t[copy(k)] = copy(x) end
      return t
    end
    local t = { 1, { 2, { 3 } } }
    local c = copy(t)
    return c, c[2] == t[2] ]] },
  { name = "encodes JSON", must = { gives = { '{"a":[1,2,{"b":null}],"c":"x\\"y","d":true}' } }, source = [[
    local encode
    local function list(t)
      local out = {}
      for i, v in ipairs(t) do out[i] = encode(v) end
      return "[" .. table.concat(out, ",") .. "]"
    end
    function encode(v)
      if v == null then return "null" end
      if type(v) == "string" then return '"' .. v:gsub('["\\]', "\\%0") .. '"' end
      if type(v) ~= "table" then return tostring(v) end
      if #v > 0 then return list(v) end
      local keys = {}
      for k in pairs(v) do keys[#keys + 1] = k end
      table.sort(keys)
      for i, k in ipairs(keys) do keys[i] = encode(k) .. ":" .. encode(v[k]) end
      return "{" .. table.concat(keys, ",") .. "}"
    end
    return encode { a = { 1, 2, { b = null } }, c = 'x"y', d = true }]] },
  { name = "reads CSV with quotes", must = { gives = { { "a", 'b"c', "d,e" } } }, source = [[
    local function cells(line)
      local out, at = {}, 1
      while at <= #line + 1 do
        if line:sub(at, at) == '"' then
          local text = ""
          local from = at + 1
          while true do
            local stop = line:find('"', from, true)
            text = text .. line:sub(from, stop - 1)
            from = stop + 1
            if line:sub(from, from) ~= '"' then break end
            text, from = text .. '"', from + 1
          end
          out[#out + 1], at = text, from + 1
        else
          local stop = line:find(",", at, true) or #line + 1
          out[#out + 1], at = line:sub(at, stop - 1), stop + 1
        end
      end
      return out
    end
    return cells 'a,"b""c","d,e"']] },
  { name = "remembers what it has computed", must = { gives = { 832040, 31 } }, source = [[
    local calls = 0
    local function memoize(f)
      local known = {}
      return function(n) if known[n] == nil then known[n] = f(n) end return known[n] end
    end
    local fib
    fib = memoize(function(n) calls = calls + 1 return n < 2 and n or fib(n - 1) + fib(n - 2) end)
    return fib(30), calls]] },
  { name = "keeps the values that were used last", must = { gives = { "b c d", "nil" } }, source = [[
    local cache = { max = 3, order = {}, values = {} }
    function cache:put(k, v)
      self.values[k] = v
      table.insert(self.order, k)
      if #self.order > self.max then self.values[table.remove(self.order, 1)] = nil end
    end
    for _, k in ipairs { "a", "b", "c", "d" } do cache:put(k, k) end
    return table.concat(cache.order, " "), tostring(cache.values.a)]] },
  { name = "lets weak tables go", must = { gives = { true } }, source = [[
    local t = setmetatable({}, { __mode = "k" })
    for i = 1, 200 do t[{}] = i end
    for i = 1, 2e5 do local garbage = { i } end
    local n = 0
    for _ in pairs(t) do n = n + 1 end
    return n < 200]] },
  { name = "solves a puzzle by trying", must = { gives = { 92 } }, cpu_ms = 20000, source = [[
    local function queens(n, row, cols, left, right)
      if row > n then return 1 end
      local count = 0
      for c = 1, n do
        if not cols[c] and not left[row + c] and not right[row - c] then
          cols[c], left[row + c], right[row - c] = true, true, true
          count = count + queens(n, row + 1, cols, left, right)
          cols[c], left[row + c], right[row - c] = nil, nil, nil
        end
      end
      return count
    end
    return queens(8, 1, {}, {}, {})]] },
  { name = "finds the shortest way", must = { gives = { 7 } }, source = [[
    local grid = { "S.#.", "..#.", "#...", "...E" }
    local queue, seen = { { 1, 1, 0 } }, { ["1,1"] = true }
    while #queue > 0 do
      local y, x, d = unpack(table.remove(queue, 1))
      if grid[y]:sub(x, x) == "E" then return d + 1 end
      for _, step in ipairs { { 0, 1 }, { 1, 0 }, { 0, -1 }, { -1, 0 } } do
        local b, a = y + step[1], x + step[2]
        local key = b .. "," .. a
        if grid[b] and a >= 1 and a <= 4 and not seen[key] and grid[b]:sub(a, a) ~= "#" then
          seen[key] = true
          queue[#queue + 1] = { b, a, d + 1 }
        end
      end
    end]] },
}
