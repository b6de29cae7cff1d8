// Who takes payments.
import { generateKeyPairSync } from 'node:crypto'
import { sdk } from './sdk.mjs'
import Stripe from 'stripe'
import { WebhooksHelper as Square } from 'square'
import Razorpay from 'razorpay'
import braintree from 'braintree'
import adyen from '@adyen/api-library'
import * as gocardless from 'gocardless-nodejs/webhooks'
import { Paddle } from '@paddle/paddle-node-sdk'
import coinbase from 'coinbase-commerce-node'
import { sign as signTrueLayer, verify as verifyTrueLayer } from 'truelayer-signing'
import { webhooks as worldline } from 'onlinepayments-sdk-nodejs'
import { Cashfree, CFEnvironment } from 'cashfree-pg'
import ModernTreasury from 'modern-treasury'
import { WebhookSignatureValidator as MercadoPago } from 'mercadopago'

const stripe = new Stripe('sk_test_nothing')

sdk({
  name: 'stripe', provider: 'stripe', type: 'body.type', id: 'body.id',
  sign: (m, secret) => { m.headers['stripe-signature'] = stripe.webhooks.generateTestHeaderString({ payload: m.text, secret }) },
  verify: (m, secret) => stripe.webhooks.constructEvent(m.body, m.headers['stripe-signature'], secret)
})

sdk({
  name: 'square', provider: 'square', type: 'body.type', id: 'body.event_id',
  verify: (m, key) => Square.isValidWebhookEventSignature(m.text, m.headers['x-square-hmacsha256-signature'], key, m.url)
})

sdk({
  name: 'razorpay', provider: 'razorpay', type: 'body.event', id: 'header.x-razorpay-event-id',
  verify: (m, secret) => Razorpay.validateWebhookSignature(m.text, m.headers['x-razorpay-signature'], secret)
})

const braintreeWith = (privateKey) => new braintree.BraintreeGateway({
  environment: braintree.Environment.Sandbox, merchantId: 'm', publicKey: 'pub_1', privateKey
})

sdk({
  name: 'braintree', provider: 'braintree', options: ['public_key pub_1'], type: '=subscription_charged_successfully', tamper: 'bt_payload=',
  sign: (m, secret) => {
    const kind = braintree.WebhookNotification.Kind.SubscriptionChargedSuccessfully
    m.body = Buffer.from(new URLSearchParams(braintreeWith(secret).webhookTesting.sampleNotification(kind, 'sub_1')).toString())
  },
  verify: (m, secret) => {
    const form = new URLSearchParams(m.text)
    return braintreeWith(secret).webhookNotification.parse(form.get('bt_signature'), form.get('bt_payload'))
  }
})

const hmac = new adyen.hmacValidator()

sdk({
  name: '@adyen/api-library', provider: 'adyen', secret: 'hex', type: 'body.notificationItems.0.NotificationRequestItem.eventCode',
  id: 'body.notificationItems.0.NotificationRequestItem.pspReference+=.+body.notificationItems.0.NotificationRequestItem.eventCode',
  tamper: '"merchantReference"',
  sign: (m, key) => {
    const body = m.json
    for (const { NotificationRequestItem: item } of body.notificationItems) {
      item.additionalData = { ...item.additionalData, hmacSignature: hmac.calculateHmac(item, key) }
    }
    m.body = Buffer.from(JSON.stringify(body))
  },
  verify: (m, key) => m.json.notificationItems.every(({ NotificationRequestItem: item }) => hmac.validateHMAC(item, key))
})

sdk({
  name: '@adyen/api-library', provider: 'adyen_platform', secret: 'hex', type: 'body.type',
  sign: (m, key) => { m.headers.hmacsignature = hmac.calculateHmac(m.text, key) },
  verify: (m, key) => hmac.validateHMACSignature(key, m.headers.hmacsignature, m.text)
})

sdk({
  name: 'gocardless-nodejs', provider: 'gocardless', type: 'body.events.0.resource_type+=.+body.events.0.action', id: 'body.meta.webhook_id',
  verify: (m, secret) => gocardless.parse(m.body, secret, m.headers['webhook-signature'])
})

sdk({
  name: '@paddle/paddle-node-sdk', provider: 'paddle', type: 'body.event_type', id: 'body.notification_id',
  verify: (m, secret) => new Paddle('none').webhooks.unmarshal(m.text, secret, m.headers['paddle-signature'])
})

sdk({
  name: 'coinbase-commerce-node', provider: 'coinbase_commerce', type: 'body.event.type', id: 'body.event.id',
  sign: (m, secret) => { m.headers['x-cc-webhook-signature'] = coinbase.Webhook.computeSignature(m.text, secret) },
  verify: (m, secret) => coinbase.Webhook.verifyEventBody(m.text, m.headers['x-cc-webhook-signature'], secret)
})

const keys = generateKeyPairSync('ec', {
  namedCurve: 'P-521', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
})
const oneLine = (pem) => pem.replace(/-----.*?-----|\n/g, '')
const path = (m) => new URL(m.url).pathname

sdk({
  name: 'truelayer-signing', provider: 'truelayer', secret: 'none', options: [`public_key ${oneLine(keys.publicKey)}`], type: 'body.event_type', id: 'body.event_id',
  pem: keys.privateKey,
  sign: (m) => {
    m.headers['x-tl-webhook-timestamp'] = new Date().toISOString()
    m.headers['tl-signature'] = signTrueLayer({
      kid: 'k-1', privateKeyPem: keys.privateKey, method: 'POST', path: path(m), body: m.text,
      headers: { 'X-TL-Webhook-Timestamp': m.headers['x-tl-webhook-timestamp'] }
    })
  },
  verify: (m) => verifyTrueLayer({
    publicKeyPem: keys.publicKey, signature: m.headers['tl-signature'], method: 'POST', path: path(m), body: m.text, headers: m.headers,
    requiredHeaders: ['X-TL-Webhook-Timestamp']
  }) ?? true
})

sdk({
  name: 'onlinepayments-sdk-nodejs', provider: 'worldline', type: 'body.type', id: 'body.id',
  verify: async (m, secret) => {
    const helper = worldline.init({ getSecretKey: async () => secret })
    return await helper.unmarshal(m.body, m.headers)
  }
})

sdk({
  name: 'cashfree-pg', provider: 'cashfree', type: 'body.type',
  verify: (m, secret) => new Cashfree(CFEnvironment.SANDBOX, 'id', secret).PGVerifyWebhookSignature(
    m.headers['x-webhook-signature'], m.text, m.headers['x-webhook-timestamp'])
})

sdk({
  name: 'modern-treasury', provider: 'modern_treasury', type: 'body.data.object+=.+body.event', id: 'header.x-event-id',
  sign: (m, key) => { m.headers['x-signature'] = new ModernTreasury({ apiKey: 'k', organizationID: 'o' }).webhooks.getSignature(m.text, { key }) },
  verify: (m, key) => new ModernTreasury({ apiKey: 'k', organizationID: 'o' }).webhooks.validateSignature(m.text, m.headers, { key })
})

sdk({
  name: 'mercadopago', provider: 'mercadopago', type: 'body.action', id: 'body.id', tamper: 'header.x-signature',
  note: 'Mercado Pago signs no body: the signature is changed',
  verify: (m, secret) => {
    MercadoPago.validate({
      xSignature: m.headers['x-signature'], xRequestId: m.headers['x-request-id'], dataId: new URL(m.url).searchParams.get('data.id'), secret
    })
    return true
  }
})
