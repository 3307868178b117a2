-- The services behind the door. Each file registers its own; a new one is a new file and a line.

require "parley.plugins.services.basic"
require "parley.plugins.services.channel"
require "parley.plugins.services.files"
require "parley.plugins.services.history"
require "parley.plugins.services.http"
require "parley.plugins.services.jobs"
require "parley.plugins.services.kv"
require "parley.plugins.services.limit"
require "parley.plugins.services.llm"
require "parley.plugins.services.log"
require "parley.plugins.services.notify"
