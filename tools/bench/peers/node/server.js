// node server.js PORT WORKERS pooled|pipelined: the peer, one process per worker. The environment: DATABASE_URL,
// PARLEY_REDIS_URL.
import cluster from 'node:cluster'
import Redis from 'ioredis'
import { buildApp } from './app.js'
import { openPipelined } from './store_pipelined.js'
import { openPooled } from './store_pooled.js'

const stores = { pooled: openPooled, pipelined: openPipelined }
const [port, workers, kind] = process.argv.slice(2)

if (cluster.isPrimary) {
  for (let i = 0; i < Number(workers); i++) cluster.fork()
  process.on('SIGTERM', () => process.exit(0))
} else {
  const store = await stores[kind](process.env.DATABASE_URL)
  const redis = new Redis(process.env.PARLEY_REDIS_URL, { enableAutoPipelining: true })
  await buildApp(store, redis).listen({ port: Number(port), host: '127.0.0.1' })
}
