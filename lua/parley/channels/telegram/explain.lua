-- What is wrong with a bot, by the code of an error, and what to do: for the log, the state of the
-- bot, and `parley bot doctor`.

return {
  unauthorized = "Telegram does not know the token of this bot: ask @BotFather for its token, and "
    .. "give it to the host (parley bot token NAME, and TELEGRAM_BOT_TOKEN where that is set)",
  conflict = "somebody else gets the updates of this bot: another program with its token polls, or "
    .. "it has a webhook (parley bot doctor NAME says which)",
  wrong_secret_key = "the token of this bot was stored under another secret_key: give this host "
    .. "the secret_key of the host that has added it, or give it the token again "
    .. "(parley bot token NAME)",
  damaged = "the token of this bot cannot be read from the database: give it again "
    .. "(parley bot token NAME)",
}
