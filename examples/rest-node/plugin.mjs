// A REST plugin for Parley, in Node alone, without packages: it says when the tea is ready.
//
//     PARLEY_SIGNING_SECRET=whsec_... node plugin.mjs [PORT]
//     PARLEY_URL=http://... PARLEY_REGISTRY_KEY=prl_reg_... node plugin.mjs [PORT]
//
// The first form takes the secret that Parley's configuration has; the second registers itself and gets one.
import { randomInt } from 'node:crypto'
import { serve } from './server.mjs'

const TEXTS = {
  en: {
    brewing: ({ ticket, time }) => `Tea number ${ticket} is brewing: ${time}.`,
    ready: ({ ticket }) => `Tea number ${ticket} is ready!`, again: 'Another one', usage: 'For example: /tea 3m',
  },
  ru: {
    brewing: ({ ticket, time }) => `Чай номер ${ticket} заваривается: ${time}.`,
    ready: ({ ticket }) => `Чай номер ${ticket} готов!`, again: 'Ещё один', usage: 'Например: /tea 3m',
  },
  uk: {
    brewing: ({ ticket, time }) => `Чай номер ${ticket} заварюється: ${time}.`,
    ready: ({ ticket }) => `Чай номер ${ticket} готовий!`, again: 'Ще один', usage: 'Наприклад: /tea 3m',
  },
}

const say = (text, more) => ({ actions: [{ type: 'send', text, ...more }] })

// `time` is like 90s or 3m. A job of ours comes back when it is over, a button when it is pressed.
function brew(texts, time) {
  const [, n, unit] = time.match(/^(\d{1,3})([sm])$/)
  const ticket = randomInt(10000, 100000)
  const answer = say(texts.brewing({ ticket, time }), { buttons: [[{ text: texts.again, data: { time } }]] })
  answer.actions.push({ type: 'schedule', in: Number(n) * (unit === 'm' ? 60 : 1), job: 'ready', data: { ticket } })
  return answer
}

/** InvokeRequestV1 -> InvokeResponseV1. */
function answer({ event, user }) {
  const texts = TEXTS[user.locale?.slice(0, 2)] ?? TEXTS.en
  if (event.type === 'job') return event.job === 'ready' ? say(texts.ready(event.data)) : { actions: [] }
  const wanted = event.type === 'callback' ? event.message.payload?.data?.time
    : event.message?.text?.match(/^\/tea(?:@\S+)?\s+(\S+)\s*$/)?.[1]
  return /^\d{1,3}[sm]$/.test(wanted) ? brew(texts, wanted) : say(texts.usage)
}

serve(answer, new URL('manifest.json', import.meta.url))
