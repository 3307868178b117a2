// Registers a plugin with Parley, and tells it again and again that the plugin is alive.
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE = 60_000 // milliseconds between two attempts, at most

export class Registration {
  /**
   * `url` is Parley's, `registryKey` a token of the kind reg. What Parley gives - the plugin's own token and the
   * signing secret - is shown only once: it is kept in the file `path`, which only its owner may read.
   */
  constructor({ url, registryKey, manifest, path }) {
    this.api = url.replace(/\/+$/, '') + '/api/v1/plugins/'
    Object.assign(this, { registryKey, manifest, path, given: {} })
  }

  async post(path, header, token, document) {
    const response = await fetch(this.api + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', [header]: token },
      body: JSON.stringify(document),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    if (!response.ok) throw Object.assign(new Error(`status ${response.status}: ${text}`), { status: response.status })
    return JSON.parse(text)
  }

  /** Registers; the signing secret. */
  async register() {
    const kept = await readFile(this.path, 'utf8').catch((problem) => {
      if (problem.code !== 'ENOENT') throw problem
      return '{}'
    })
    const answer = await this.post('register', 'X-API-Key', this.registryKey, { manifest: this.manifest })
    // The same manifest again is no new registration: what was given before stays as it is.
    const given = Object.entries(answer).filter(([, value]) => value !== null)
    this.given = { ...JSON.parse(kept), ...Object.fromEntries(given) }
    await writeFile(this.path, JSON.stringify(this.given), { mode: 0o600 })
    return this.given.signing_secret
  }

  heartbeat(inflight) {
    const { plugin_id: id, token } = this.given
    return this.post(`${id}/heartbeat`, 'X-Plugin-Token', token, {
      status: 'ok', version: this.manifest.version, inflight,
    })
  }

  /**
   * For ever: registers, hands the secret to useSecret(secret), sends heartbeats. When Parley is away it tries
   * again; when Parley does not know the plugin any more (401, 404) it registers anew.
   */
  async run(useSecret, inflight) {
    let [pause, registered] = [1000, false]
    for (;;) {
      try {
        if (!registered) {
          useSecret(await this.register())
          registered = true
          console.error('plugin: registered as', this.given.plugin_id)
        }
        await this.heartbeat(inflight())
        pause = 1000
        await sleep(this.given.heartbeat_interval_sec * 1000)
      } catch (problem) {
        console.error('plugin: Parley:', problem.message, problem.cause?.message ?? '')
        if (problem.status === 401 || problem.status === 404) registered = false
        await sleep(pause)
        pause = Math.min(2 * pause, PATIENCE)
      }
    }
  }
}
