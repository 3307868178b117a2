-- Actions that only Telegram has, and the methods of its Bot API that a plugin may call for what
-- has no action: those of the chat that it is in, or of no chat. What concerns the bot itself - its
-- updates, commands, name, webhook, other chats - is the host's.

local M = {}

local function set(names)
  local out = {}
  for name in names:gmatch "%S+" do out[#out + 1] = name end
  return out
end

---@type string[] carried out with the answer, by the outbox
M.SENT = set [[
  sendAnimation sendContact sendDice sendGame sendInvoice sendLocation sendPoll sendSticker
  sendVenue sendVideoNote sendPaidMedia sendChecklist copyMessage copyMessages forwardMessage
  forwardMessages editMessageText editMessageCaption editMessageMedia editMessageLiveLocation
  editMessageReplyMarkup stopMessageLiveLocation stopPoll deleteMessages pinChatMessage
  unpinChatMessage unpinAllChatMessages setMessageReaction answerInlineQuery answerWebAppQuery
  answerShippingQuery answerPreCheckoutQuery approveChatJoinRequest declineChatJoinRequest
  banChatMember unbanChatMember restrictChatMember banChatSenderChat unbanChatSenderChat
  setChatPermissions setChatTitle setChatDescription editForumTopic closeForumTopic
  reopenForumTopic unpinAllForumTopicMessages refundStarPayment
]]

---@type string[] carried out at once, for what they say
M.ASKED = set [[
  getMe getChat getChatMember getChatMemberCount getChatAdministrators getUserProfilePhotos
  getUserChatBoosts getStickerSet getCustomEmojiStickers getForumTopicIconStickers
  createChatInviteLink exportChatInviteLink revokeChatInviteLink createInvoiceLink
  createForumTopic savePreparedInlineMessage getBusinessConnection
]]

-- On a Bot API server of one's own they name files of its disk, and parts of a form that is none.
local function names_file(value, depth)
  if type(value) == "string" then
    local scheme = value:match "^%s*(%a+):"
    scheme = scheme and scheme:lower()
    return scheme == "file" or scheme == "attach"
  elseif type(value) ~= "table" or depth > 16 then
    return depth > 16
  end
  for _, item in pairs(value) do if names_file(item, depth + 1) then return true end end
  return false
end

---What stands against parameters of a plugin.
---@param params table
---@return string|nil problem
function M.problem(params)
  if names_file(params, 0) then return "params: no file of the server can be named" end
end

---The types of actions.
---@param closed fun(name: string, properties: table, required: string[]|nil): table
---@return table<string, table>
function M.types(closed)
  local message_id = { type = "string", minLength = 1, maxLength = 128 }
  return {
    react = closed("react", {
      message_id = message_id,
      emoji = { type = "string", maxLength = 32, description = "absent: no reaction any more" },
    }),
    answer_inline = closed("answer_inline", {
      results = {
        type = "array", maxItems = 50, ["x-max-bytes"] = 131072,
        description = "articles {id, title, text, format, description, url, thumbnail}, or results "
          .. "of the Bot API, which have a `type`",
        items = { type = "object" },
      },
      cache_seconds = { type = "integer", minimum = 0, maximum = 86400 },
      personal = { type = "boolean" }, next_offset = { type = "string", maxLength = 64 },
    }, { "results" }),
    answer_checkout = closed("answer_checkout", {
      ok = { type = "boolean" },
      error = { type = "string", maxLength = 255, description = "why not, for the person" },
    }, { "ok" }),
    telegram = closed("telegram", {
      method = { type = "string", enum = M.SENT },
      params = { type = "object", ["x-max-bytes"] = 65536 },
    }, { "method" }),
  }
end

return M
