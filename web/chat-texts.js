// The words of the chat page. {name} is replaced.
"use strict";

const TEXTS = {
  en: {
    trace: "Trace", reset: "Start over", label: "Your message", placeholder: "Write a message", send: "Send",
    hint: "Write something, for example: /echo hello, what can you do, remind me to stretch in 1 minute",
    token_title: "A token is needed", token_help: "Whoever runs this Parley makes one with:",
    token_label: "Token", token_use: "Use it",
    plugin: "plugin {name}", rules: "answered by the rules", intent: "intent {name} ({percent} %, {source})",
    took: "{total} ms, of which {plugin} ms in the plugin", fallback: "fallback", failed: "no plugin answered",
    no_reply: "(no reply)", older: "Older messages are not shown.",
    offline: "The server cannot be reached. Your message is kept: press Send to try again.",
    offline_press: "The server cannot be reached. Press the button again.",
    unauthorized: "The token is not accepted. It may be expired or revoked.",
    forbidden: "This token may not do that: {detail}",
    busy: "Too many messages at once. Try again in {seconds} s.",
    server: "The server has a problem ({status}). Try again; if it stays, give the operator this id: {trace}",
    refused: "The message was refused: {detail} (id {trace})", started_over: "The conversation starts over.",
    too_long: "The message is too long: at most 16 384 characters.",
  },
  ru: {
    trace: "Подробности", reset: "Сначала", label: "Ваше сообщение", placeholder: "Напишите сообщение", send: "Отправить",
    hint: "Напишите что-нибудь, например: /echo привет, что ты умеешь, напомни размяться через 1 минуту",
    token_title: "Нужен токен", token_help: "Его создаёт тот, кто запустил этот Parley:",
    token_label: "Токен", token_use: "Использовать",
    plugin: "плагин {name}", rules: "ответили правила", intent: "намерение {name} ({percent} %, {source})",
    took: "{total} мс, из них {plugin} мс в плагине", fallback: "запасной ответ", failed: "ни один плагин не ответил",
    no_reply: "(без ответа)", older: "Более ранние сообщения не показаны.",
    offline: "Сервер недоступен. Сообщение сохранено: нажмите «Отправить», чтобы попробовать снова.",
    offline_press: "Сервер недоступен. Нажмите кнопку ещё раз.",
    unauthorized: "Токен не принят. Возможно, он истёк или отозван.",
    forbidden: "Этому токену это не разрешено: {detail}",
    busy: "Слишком много сообщений сразу. Попробуйте через {seconds} с.",
    server: "На сервере ошибка ({status}). Попробуйте снова; если не пройдёт, сообщите оператору: {trace}",
    refused: "Сообщение отклонено: {detail} (id {trace})", started_over: "Разговор начат сначала.",
    too_long: "Сообщение слишком длинное: не больше 16 384 знаков.",
  },
  uk: {
    trace: "Подробиці", reset: "Спочатку", label: "Ваше повідомлення", placeholder: "Напишіть повідомлення", send: "Надіслати",
    hint: "Напишіть щось, наприклад: /echo привіт, що ти вмієш, нагадай розім’ятися через 1 хвилину",
    token_title: "Потрібен токен", token_help: "Його створює той, хто запустив цей Parley:",
    token_label: "Токен", token_use: "Використати",
    plugin: "плагін {name}", rules: "відповіли правила", intent: "намір {name} ({percent} %, {source})",
    took: "{total} мс, з них {plugin} мс у плагіні", fallback: "запасна відповідь", failed: "жоден плагін не відповів",
    no_reply: "(без відповіді)", older: "Давніші повідомлення не показано.",
    offline: "Сервер недоступний. Повідомлення збережено: натисніть «Надіслати», щоб спробувати ще раз.",
    offline_press: "Сервер недоступний. Натисніть кнопку ще раз.",
    unauthorized: "Токен не прийнято. Можливо, він прострочений або відкликаний.",
    forbidden: "Цьому токену це не дозволено: {detail}",
    busy: "Забагато повідомлень одразу. Спробуйте через {seconds} с.",
    server: "На сервері помилка ({status}). Спробуйте ще раз; якщо не мине, повідомте оператора: {trace}",
    refused: "Повідомлення відхилено: {detail} (id {trace})", started_over: "Розмову почато спочатку.",
    too_long: "Повідомлення задовге: не більше 16 384 знаків.",
  },
};

const LANGUAGE = (navigator.languages || [navigator.language || "en"])
  .map((l) => l.slice(0, 2).toLowerCase()).find((l) => TEXTS[l]) || "en";

function t(key, values) {
  return TEXTS[LANGUAGE][key].replace(/\{(\w+)\}/g, (_, name) => (values && name in values ? values[name] : ""));
}
