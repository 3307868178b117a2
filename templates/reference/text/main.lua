local p = parley.plugin()

p.on.command("text", function(c, who)
  local receipt = parley.text()
    :bold("Receipt"):add(" for "):italic(who):line()
    :underline("Tea"):add(" "):strikethrough("5 EUR"):add(" 4 EUR"):line()
    :add("Your code: "):code("A-17"):line()
    :spoiler("One more is for free."):line()
    :pre('{ "tea": 1 }', "json")
    :link("All receipts", "https://shop.example/receipts")
  c:reply(receipt:reply { buttons = { { { text = "Thanks", data = { thanks = true } } } } })
end)

p.on.callback({ thanks = "bool" }, function(c) c:reply(parley.text():bold("You are welcome")) end)

return p
