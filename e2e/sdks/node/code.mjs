// Where code and content live.
import { sdk } from './sdk.mjs'
import { sign, verify } from '@octokit/webhooks-methods'
import { Webhooks } from '@octokit/webhooks'
import { LinearWebhookClient } from '@linear/sdk/webhooks'
import notion from '@notionhq/client'
import { signRequest, verifyRequest } from '@contentful/node-apps-toolkit'
import { encodeSignatureHeader, assertValidSignature } from '@sanity/webhook'
import hygraph from '@hygraph/utils'
import { v2 as cloudinary } from 'cloudinary'

sdk({
  name: '@octokit/webhooks-methods', provider: 'github', type: 'header.x-github-event', id: 'header.x-github-delivery',
  sign: async (m, secret) => { m.headers['x-hub-signature-256'] = await sign(secret, m.text) },
  verify: (m, secret) => verify(secret, m.text, m.headers['x-hub-signature-256'])
})

sdk({
  name: '@octokit/webhooks', provider: 'github', type: 'header.x-github-event', id: 'header.x-github-delivery',
  sign: async (m, secret) => { m.headers['x-hub-signature-256'] = await new Webhooks({ secret }).sign(m.text) },
  verify: async (m, secret) => {
    await new Webhooks({ secret }).verifyAndReceive({
      id: m.headers['x-github-delivery'], name: m.headers['x-github-event'], signature: m.headers['x-hub-signature-256'], payload: m.text
    })
    return true
  }
})

sdk({
  name: '@linear/sdk', provider: 'linear', type: 'body.type', id: 'header.linear-delivery',
  verify: (m, secret) => new LinearWebhookClient(secret).parseData(m.body, m.headers['linear-signature'], m.json.webhookTimestamp)
})

sdk({
  name: '@notionhq/client', provider: 'notion', type: 'body.type', id: 'body.id',
  sign: async (m, verificationToken) => { m.headers['x-notion-signature'] = await notion.signWebhookPayload({ body: m.text, verificationToken }) },
  verify: (m, verificationToken) => notion.verifyWebhookSignature({ body: m.text, signature: m.headers['x-notion-signature'], verificationToken })
})

const canonical = (m, headers = m.headers) => ({
  method: m.method, path: new URL(m.url).pathname + new URL(m.url).search, body: m.text, headers
})

sdk({
  name: '@contentful/node-apps-toolkit', provider: 'contentful', secret: '**', type: 'header.x-contentful-topic', id: 'header.x-contentful-idempotency-key',
  sign: (m, secret) => {
    const { 'x-contentful-topic': topic } = m.headers
    Object.assign(m.headers, lower(signRequest(secret, canonical(m, { 'x-contentful-topic': topic }))))
  },
  verify: (m, secret) => verifyRequest(secret, canonical(m))
})

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]))

sdk({
  name: '@sanity/webhook', provider: 'sanity', type: 'body._type', id: 'header.idempotency-key',
  sign: async (m, secret) => { m.headers['sanity-webhook-signature'] = await encodeSignatureHeader(m.text, Date.now(), secret) },
  verify: async (m, secret) => {
    await assertValidSignature(m.text, m.headers['sanity-webhook-signature'], secret)
    return true
  }
})

sdk({
  name: '@hygraph/utils', provider: 'hygraph', type: 'body.operation',
  sign: (m, secret) => { m.headers['gcms-signature'] = hygraph.generateWebhookSignature({ rawPayload: m.text, secret }) },
  verify: (m, secret) => hygraph.verifyWebhookSignature({ rawPayload: m.text, signature: m.headers['gcms-signature'], secret })
})

sdk({
  name: 'cloudinary', provider: 'cloudinary', options: ['hash sha256'], type: 'body.notification_type',
  sign: (m, apiSecret) => {
    m.headers['x-cld-timestamp'] = String(Math.floor(Date.now() / 1000))
    m.headers['x-cld-signature'] = cloudinary.utils.webhook_signature(m.text, m.headers['x-cld-timestamp'], { api_secret: apiSecret, signature_algorithm: 'sha256' })
  },
  verify: (m, apiSecret) => {
    cloudinary.config({ api_secret: apiSecret, signature_algorithm: 'sha256' })
    return cloudinary.utils.verifyNotificationSignature(m.text, Number(m.headers['x-cld-timestamp']), m.headers['x-cld-signature'])
  }
})
