// The REST plugin NAME. `answer` is all of it; server.mjs does what every REST plugin does.
//
//     PARLEY_SIGNING_SECRET=whsec_... node plugin.mjs [PORT]
import { serve } from './server.mjs'

const TEXTS = {
  en: (name, n) => `Hello, ${name}! This is visit ${n}.`,
  ru: (name, n) => `Здравствуйте, ${name}! Визит номер ${n}.`,
  uk: (name, n) => `Вітаю, ${name}! Візит номер ${n}.`,
}

/**
 * InvokeRequestV1 -> InvokeResponseV1, as docs/rest-plugins.md has them. What was written is event.message.text;
 * state: { __state: 'name' } has the next message come here, too.
 */
function answer({ user, dialog }) {
  const text = TEXTS[user.locale?.slice(0, 2)] ?? TEXTS.en
  const visits = (dialog.state.visits ?? 0) + 1
  return {
    actions: [{
      type: 'send', text: text(user.name ?? 'you', visits), buttons: [[{ text: '+1', data: { go: 'again' } }]],
    }],
    state: { visits },
  }
}

serve(answer, new URL('manifest.json', import.meta.url))
