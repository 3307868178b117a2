// Holds webhook.mjs to the vectors of examples/signature-vectors.json.
//
//     node vectors.mjs FILE
import { readFileSync } from 'node:fs'
import { keyOf, verify } from './webhook.mjs'

const vectors = JSON.parse(readFileSync(process.argv[2]))
let wrong = 0
for (const v of vectors) {
  const headers = { 'webhook-id': v.id, 'webhook-timestamp': v.timestamp, 'webhook-signature': v.signature }
  const problem = verify(keyOf(v.secret), headers, Buffer.from(v.body), v.now)
  if ((problem === null) !== v.valid) {
    wrong++
    console.error(`${v.name}: ${problem ?? 'was taken'}`)
  }
}
console.log(`${vectors.length} vectors, ${wrong} wrong`)
process.exit(wrong ? 1 : 0)
