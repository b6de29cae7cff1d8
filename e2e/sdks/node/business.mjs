// Customers, identities, shops, calendars and parcels.
import { createHmac } from 'node:crypto'
import { appleChain } from './apple.mjs'
import { sdk, seconds } from './sdk.mjs'
import { Signature as HubSpot } from '@hubspot/api-client'
import '@shopify/shopify-api/adapters/node'
import { shopifyApi, ApiVersion } from '@shopify/shopify-api'
import Mux from '@mux/mux-node'
import { WorkOS } from '@workos-inc/node'
import onfido from '@onfido/api'
import EasyPost from '@easypost/api'
import Cronofy from 'cronofy'
import hook0 from 'hook0-client'
import dropbox from '@dropbox/sign'
import BoxSDK from 'box-node-sdk'
import { basicAuthValidator } from 'chargebee'
import { Environment, SignedDataVerifier } from '@apple/app-store-server-library'

sdk({
  name: '@hubspot/api-client', provider: 'hubspot', type: 'body.0.subscriptionType',
  id: 'body.0.subscriptionId+=.+body.0.eventId+=.+body.0.occurredAt',
  sign: (m, clientSecret) => {
    const timestamp = m.headers['x-hubspot-request-timestamp'] = String(Date.now())
    m.headers['x-hubspot-signature-v3'] = HubSpot.getSignature(m.method, 'v3', { clientSecret, url: m.url, requestBody: m.text, timestamp })
  },
  verify: (m, clientSecret) => HubSpot.isValid({
    signatureVersion: 'v3', method: m.method, clientSecret, url: m.url, requestBody: m.text,
    timestamp: Number(m.headers['x-hubspot-request-timestamp']), signature: m.headers['x-hubspot-signature-v3']
  })
})

sdk({
  name: '@shopify/shopify-api', provider: 'shopify', type: 'header.x-shopify-topic', id: 'header.x-shopify-webhook-id',
  verify: async (m, apiSecretKey) => {
    const shopify = shopifyApi({
      apiKey: 'k', apiSecretKey, scopes: [], hostName: 'example.com', apiVersion: Object.values(ApiVersion)[0], isEmbeddedApp: false, logger: { level: 0 }
    })
    const result = await shopify.webhooks.validate({ rawBody: m.text, rawRequest: { method: m.method, url: m.url, headers: m.headers }, rawResponse: {} })
    if (!result.valid) throw new Error(JSON.stringify(result))
    return true
  }
})

sdk({
  name: '@mux/mux-node', provider: 'mux', type: 'body.type', id: 'body.id',
  verify: (m, secret) => new Mux({ tokenId: 'i', tokenSecret: 's' }).webhooks.unwrap(m.text, m.headers, secret)
})

const workos = new WorkOS('sk_none')

sdk({
  name: '@workos-inc/node', provider: 'workos', type: 'body.event', id: 'body.id',
  sign: async (m, secret) => {
    const timestamp = Date.now()
    m.headers['workos-signature'] = `t=${timestamp}, v1=${await workos.webhooks.computeSignature(timestamp, m.json, secret)}`
  },
  verify: (m, secret) => workos.webhooks.constructEvent({ payload: m.json, sigHeader: m.headers['workos-signature'], secret })
})

sdk({
  name: '@onfido/api', provider: 'onfido', type: 'body.payload.action', id: 'body.payload.action+=.+body.payload.object.id+=.+body.payload.object.completed_at_iso8601',
  verify: (m, token) => new onfido.WebhookEventVerifier(token).readPayload(m.body, m.headers['x-sha2-signature'])
})

sdk({
  name: '@easypost/api', provider: 'easypost', type: 'body.description', id: 'body.id',
  verify: (m, secret) => new EasyPost('none').Utils.validateWebhook(m.body, m.headers, secret)
})

sdk({
  name: 'cronofy', provider: 'cronofy', type: 'body.notification.type',
  verify: (m, secret) => new Cronofy({ client_id: 'i', client_secret: secret }).hmacValid({ hmac: m.headers['cronofy-hmac-sha256'], body: m.text })
})

sdk({
  name: 'hook0-client', provider: 'hook0', type: 'header.x-event-type', id: 'header.x-event-id',
  verify: (m, secret) => hook0.verifyWebhookSignature(m.headers['x-hook0-signature'], m.body, new Headers(m.headers), secret, 300)
})

const callback = (data, key) => dropbox.EventCallbackHelper.isValid(key, dropbox.EventCallbackRequest.init(data))

sdk({
  name: '@dropbox/sign', provider: 'dropbox_sign', type: 'body.event.event_type', tamper: '"event_time":"', note: 'in JSON',
  verify: (m, key) => callback(m.json, key)
})

sdk({
  name: '@dropbox/sign', provider: 'dropbox_sign', type: '=signature_request_sent', tamper: 'event_time', byTest: true, note: 'in a form',
  sample: { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  sign: (m, key) => {
    const event = { event_type: 'signature_request_sent', event_time: String(seconds()) }
    event.event_hash = createHmac('sha256', key).update(event.event_time + event.event_type).digest('hex')
    m.body = Buffer.from(new URLSearchParams({ json: JSON.stringify({ event }) }).toString())
  },
  verify: (m, key) => callback(JSON.parse(new URLSearchParams(m.text).get('json')), key)
})

sdk({
  name: 'box-node-sdk', provider: 'box', type: 'body.trigger', id: 'body.id',
  verify: (m, primaryKey) => BoxSDK.validateWebhookMessage(m.text, m.headers, primaryKey)
})

sdk({
  name: 'chargebee', provider: 'chargebee', secret: 'user:*', type: 'body.event_type', id: 'body.id', tamper: 'header.authorization',
  note: 'Chargebee signs nothing: the password is changed',
  verify: async (m, secret) => {
    await basicAuthValidator((user, password) => `${user}:${password}` === secret)(m.headers)
    return true
  }
})

const apple = appleChain()

sdk({
  name: '@apple/app-store-server-library', provider: 'apple_app_store', secret: 'none', pem: apple.pem,
  options: [`certificate ${apple.root.toString('base64')}`, 'bundle_id com.example.app'], type: 'jws.signedPayload.notificationType+=.+jws.signedPayload.subtype',
  id: 'jws.signedPayload.notificationUUID',
  verify: (m) => new SignedDataVerifier([apple.root], false, Environment.SANDBOX, 'com.example.app').verifyAndDecodeNotification(m.json.signedPayload)
})
