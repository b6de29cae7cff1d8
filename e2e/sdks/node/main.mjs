// Answers the Go test in lines of JSON: first what there is, then an answer for
// each question.
import { createInterface } from 'node:readline'
import { sdks } from './sdk.mjs'
import { examples } from './examples.mjs'
import './business.mjs'
import './code.mjs'
import './messages.mjs'
import './payments.mjs'
import './standard.mjs'

const write = (line) => process.stdout.write(JSON.stringify(line) + '\n')

// Libraries log; stdout is for answers.
console.log = console.info = console.debug = console.error

write(sdks.map(({ sign, verify, ...entry }) => ({ ...entry, signs: !!sign, verifies: !!verify })))

for await (const line of createInterface({ input: process.stdin })) {
  answer(JSON.parse(line))
}

async function answer ({ n, op, sdk, secret, message }) {
  try {
    if (op === 'examples') return write({ n, examples: await examples(secret) })
    const m = received(message)
    const result = await sdks[sdk][op](m, secret)
    if (op === 'verify' && result === false) throw new Error('refused')
    if (op === 'verify' && result === undefined) throw new Error('verify says nothing')
    write({ n, message: { ...message, url: m.url, headers: m.headers, body: m.body.toString('base64') } })
  } catch (e) {
    write({ n, error: String(e?.message || e || 'refused') })
  }
}

// received gives a message the forms that libraries take.
function received (message) {
  const m = { ...message, body: Buffer.from(message.body ?? '', 'base64') }
  Object.defineProperties(m, {
    text: { get: () => m.body.toString() },
    json: { get: () => JSON.parse(m.text) }
  })
  return m
}
