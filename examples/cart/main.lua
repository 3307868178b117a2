-- A tea shop: a catalogue, a page for each tea, a cart and an order, all in one message.

local p = parley.plugin()

local TEAS = {
  { id = "green", price = 4 }, { id = "black", price = 3 }, { id = "herbal", price = 5 },
}
local MOST = 20 -- of a tea

local function cart(c)
  c.session.cart = c.session.cart or {}
  return c.session.cart
end

local function totals(c)
  local count, sum = 0, 0
  for _, tea in ipairs(TEAS) do
    local n = cart(c)[tea.id] or 0
    count, sum = count + n, sum + n * tea.price
  end
  return count, sum
end

local function find(id)
  for _, tea in ipairs(TEAS) do if tea.id == id then return tea end end
end

-- The button that leads to the cart says what is in it.
local function cart_button(c)
  return { text = "🛒 " .. c:t("packs", { n = (totals(c)) }), menu = "cart" }
end

local function keys(c)
  return {
    { text = c:t "shop", data = { go = "shop" } }, { text = c:t "cart", data = { go = "cart" } },
  }
end

p.menu("shop", function(c)
  local rows = {}
  for i, tea in ipairs(TEAS) do
    rows[i] = { { text = c:t(tea.id), menu = "tea", args = { id = tea.id } } }
  end
  rows[#rows + 1] = { cart_button(c) }
  return {
    text = c:t "choose", rows = rows,
    keyboard = { text = c:t "welcome", rows = { keys(c) } },
  }
end)

p.menu("tea", function(c, args)
  local tea = find(args.id)
  local n = cart(c)[tea.id] or 0
  return {
    text = parley.text():bold(c:t(tea.id)):line():add(c:t("price", { price = tea.price }))
      :line():add(c:t("packs", { n = n })),
    rows = {
      {
        { text = "−", data = { tea = tea.id, by = -1 } },
        { text = "+", data = { tea = tea.id, by = 1 } },
      },
      { { text = c:t "back", back = "shop" }, cart_button(c) },
    },
  }
end)

p.menu("cart", function(c)
  local text, count, sum = parley.text():bold(c:t "cart"):line(), totals(c)
  for _, tea in ipairs(TEAS) do
    local n = cart(c)[tea.id] or 0
    if n > 0 then text:line(("%d × %s"):format(n, c:t(tea.id))) end
  end
  text:add(count > 0 and c:t("total", { sum = sum }) or c:t "empty")
  local rows = { { { text = c:t "back", back = "shop" }, { text = c:t "close", close = true } } }
  if count > 0 then table.insert(rows, 1, { { text = c:t "order", data = { order = true } } }) end
  return { text = text, rows = rows }
end)

p.on.command("shop", function(c) c:menu "shop" end)
p.on.command("cart", function(c) c:menu "cart" end)
p.on.callback({ go = "enum(shop,cart)" }, function(c, data) c:menu(data.go) end)

-- The menu is shown anew by itself.
p.on.callback({ tea = "string", by = "int" }, function(c, data)
  local n = (cart(c)[data.tea] or 0) + data.by
  cart(c)[data.tea] = math.min(math.max(n, 0), MOST)
end)

p.on.callback({ order = "bool" }, function(c)
  c:close_menu()
  c:enter "address"
  c:reply(c:t "address")
end)

p.on.state("address", function(c, address)
  local count, sum = totals(c)
  c:reply(c:t("ordered", { n = count, sum = sum, address = address }))
  c:finish()
end)

return p
