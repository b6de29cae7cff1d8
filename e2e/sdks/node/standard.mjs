// Standard Webhooks, Svix, and those who sign as they do.
import { sdk, seconds } from './sdk.mjs'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import OpenAI from 'openai'
import { Resend } from 'resend'
import { verifyWebhook as clerk } from '@clerk/backend/webhooks'
import Lithic from 'lithic'
import { validateWebhook as replicate } from 'replicate'
import Finch from '@tryfinch/finch-api'
import { validateEvent as polar } from '@polar-sh/sdk/webhooks'
import Whop from '@whop/sdk'

// signer signs with one of the two libraries, which are of one form.
const signer = (Webhook, prefix) => (m, secret) => {
  const now = seconds()
  m.headers[`${prefix}-timestamp`] = String(now)
  m.headers[`${prefix}-signature`] = new Webhook(secret).sign(m.headers[`${prefix}-id`], new Date(now * 1000), m.text)
}

sdk({
  name: 'standardwebhooks', provider: 'standardwebhooks', secret: 'whsec', type: 'body.type', id: 'header.webhook-id',
  sign: signer(StandardWebhook, 'webhook'),
  verify: (m, secret) => new StandardWebhook(secret).verify(m.text, m.headers)
})

sdk({
  name: 'svix', provider: 'svix', secret: 'whsec', type: 'body.type', id: 'header.svix-id',
  sign: signer(SvixWebhook, 'svix'),
  verify: (m, secret) => new SvixWebhook(secret).verify(m.text, m.headers)
})

sdk({
  name: 'openai', provider: 'openai', secret: 'whsec', type: 'body.type', id: 'header.webhook-id',
  verify: (m, secret) => new OpenAI({ apiKey: 'none' }).webhooks.unwrap(m.text, m.headers, secret)
})

sdk({
  name: 'resend', provider: 'resend', secret: 'whsec', type: 'body.type', id: 'header.svix-id',
  verify: (m, webhookSecret) => new Resend('re_none').webhooks.verify({
    payload: m.text, webhookSecret,
    headers: { id: m.headers['svix-id'], timestamp: m.headers['svix-timestamp'], signature: m.headers['svix-signature'] }
  })
})

sdk({
  name: '@clerk/backend', provider: 'clerk', secret: 'whsec', type: 'body.type', id: 'header.svix-id',
  verify: (m, signingSecret) => clerk(new Request(m.url, m), { signingSecret })
})

sdk({
  name: 'lithic', provider: 'lithic', secret: 'whsec', type: 'body.event_type', id: 'header.webhook-id',
  verify: (m, secret) => new Lithic({ apiKey: 'none' }).webhooks.unwrap(m.text, m.headers, secret)
})

sdk({
  name: 'replicate', provider: 'replicate', secret: 'whsec', type: 'body.status', id: 'header.webhook-id',
  verify: (m, secret) => replicate({
    id: m.headers['webhook-id'], timestamp: m.headers['webhook-timestamp'], signature: m.headers['webhook-signature'], body: m.text, secret
  })
})

sdk({
  name: '@tryfinch/finch-api', provider: 'finch', secret: 'base64', type: 'body.event_type', id: 'header.finch-event-id',
  verify: (m, secret) => new Finch({ accessToken: 'none' }).webhooks.unwrap(m.text, m.headers, secret)
})

sdk({
  name: '@polar-sh/sdk', provider: 'polar', secret: 'polar_whs_*', type: 'body.type', id: 'header.webhook-id',
  verify: (m, secret) => polar(m.body, m.headers, secret)
})

sdk({
  name: '@whop/sdk', provider: 'standardwebhooks', secret: 'whsec', type: 'body.type', id: 'header.webhook-id', note: 'Whop',
  verify: (m, key) => new Whop({ apiKey: 'none' }).webhooks.unwrap(m.text, { headers: m.headers, key })
})
