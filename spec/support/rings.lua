-- The two rings that a sandboxed state may be in: what makes one is the only difference.

return {
  { name = "trusted", new = require("host.sandbox").new },
  { name = "isolated", new = require("host.isolate").new },
}
