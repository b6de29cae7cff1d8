// GitHub's published example payloads, signed by GitHub's own library.
import { createRequire } from 'node:module'
import { sign } from '@octokit/webhooks-methods'

export async function examples (secret) {
  const published = createRequire(import.meta.url)('@octokit/webhooks-examples')
  const list = published.default ?? published
  const signed = []
  for (const { name, examples } of list) {
    for (const payload of examples) {
      const body = JSON.stringify(payload)
      signed.push({ event: name, body: Buffer.from(body).toString('base64'), signature: await sign(secret, body) })
    }
  }
  return signed
}
