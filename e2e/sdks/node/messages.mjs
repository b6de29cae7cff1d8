// Who carries messages and calls.
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { json, sdk } from './sdk.mjs'
import bolt from '@slack/bolt'
import { validateSignature as line } from '@line/bot-sdk'
import { verifyKey as discord } from 'discord-interactions'
import { StreamChat } from 'stream-chat'
import ViberValidator from 'viber-bot/lib/message/message-validator.js'
import twilio from 'twilio'
import plivo from 'plivo'
import messagebird from 'messagebird/lib/webhook-signature-jwt.js'
import Telnyx from 'telnyx'
import sendgrid from '@sendgrid/eventwebhook'
import { verifySignature as vonage } from '@vonage/jwt'
import Pusher from 'pusher'
import PusherToken from 'pusher/lib/token.js'
import Retell from 'retell-sdk'
import lark from '@larksuiteoapi/node-sdk'
import { ConversationCallbackWebhooks } from '@sinch/conversation'
import { VoiceCallbackWebhooks } from '@sinch/voice'
import XHubSignature from 'x-hub-signature'
import { Bot, webhookCallback } from 'grammy'

sdk({
  name: '@slack/bolt', provider: 'slack', type: 'body.event.type', id: 'body.event_id',
  verify: (m, signingSecret) => {
    bolt.verifySlackRequest({ signingSecret, headers: m.headers, body: m.text })
    return true
  }
})

sdk({
  name: '@line/bot-sdk', provider: 'line', type: 'body.events.0.type', id: 'body.events.0.webhookEventId',
  verify: (m, secret) => line(m.body, secret, m.headers['x-line-signature'])
})

const pem = (key) => key.export({ type: 'pkcs8', format: 'pem' })
const ed25519 = generateKeyPairSync('ed25519')
const rawKey = ed25519.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)

sdk({
  name: 'discord-interactions', provider: 'discord', secret: 'none', pem: pem(ed25519.privateKey), options: [`public_key ${rawKey.toString('hex')}`],
  type: 'body.event.type', id: 'body.id',
  verify: (m) => discord(m.body, m.headers['x-signature-ed25519'], m.headers['x-signature-timestamp'], rawKey.toString('hex'))
})

sdk({
  name: 'telnyx', provider: 'telnyx', secret: 'none', pem: pem(ed25519.privateKey), options: [`public_key ${rawKey.toString('base64')}`],
  type: 'body.data.event_type', id: 'body.data.id',
  verify: (m) => new Telnyx('none').webhooks.constructEvent(
    m.text, Buffer.from(m.headers['telnyx-signature-ed25519'], 'base64'), m.headers['telnyx-timestamp'], rawKey)
})

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const spki = p256.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')

sdk({
  name: '@sendgrid/eventwebhook', provider: 'sendgrid', secret: 'none', pem: pem(p256.privateKey), options: [`public_key ${spki}`], type: 'body.0.event',
  verify: (m) => {
    const webhook = new sendgrid.EventWebhook()
    return webhook.verifySignature(webhook.convertPublicKeyToECDSA(spki), m.body,
      m.headers['x-twilio-email-event-webhook-signature'], m.headers['x-twilio-email-event-webhook-timestamp'])
  }
})

sdk({
  name: 'stream-chat', provider: 'getstream', type: 'body.type', id: 'header.x-webhook-id',
  verify: (m, secret) => new StreamChat('key', secret).verifyWebhook(m.body, m.headers['x-signature'])
})

sdk({
  name: 'viber-bot', provider: 'viber', type: 'body.event', id: 'body.event+=.+body.message_token+=.',
  verify: (m, token) => new ViberValidator({ debug () {} }, token).validateMessage(m.headers['x-viber-content-signature'], m.text)
})

const form = (m) => Object.fromEntries(new URLSearchParams(m.text))

sdk({
  name: 'twilio', provider: 'twilio', type: 'form.MessageStatus', id: 'header.i-twilio-idempotency-token',
  sign: (m, token) => { m.headers['x-twilio-signature'] = twilio.getExpectedTwilioSignature(token, m.url, form(m)) },
  verify: (m, token) => twilio.validateRequest(token, m.headers['x-twilio-signature'], m.url, form(m))
})

sdk({
  name: 'plivo', provider: 'plivo', event: 'delivered', type: 'form.Status', id: 'form.MessageUUID',
  verify: (m, token) => plivo.validateV3Signature(m.method, m.url, m.headers['x-plivo-signature-v3-nonce'], token, m.headers['x-plivo-signature-v3'], form(m))
})

sdk({
  name: 'messagebird', provider: 'messagebird', type: 'body.type', id: 'body.message.id+=.+body.message.status+=.+body.message.updatedDatetime',
  verify: async (m, secret) => {
    await messagebird.verify(m.url, m.body, m.headers['messagebird-signature-jwt'], createSecretKey(Buffer.from(secret)))
    return true
  }
})

sdk({
  name: '@vonage/jwt', provider: 'vonage', type: 'body.status', tamper: 'header.authorization', note: 'it compares no hash of the body: the token is changed',
  verify: (m, secret) => vonage(m.headers.authorization.replace('Bearer ', ''), secret)
})

sdk({
  name: 'pusher', provider: 'pusher', options: ['app_key key_1'], type: 'body.events.0.name',
  sign: (m, secret) => { m.headers['x-pusher-signature'] = new PusherToken('key_1', secret).sign(m.text) },
  verify: (m, secret) => new Pusher({ appId: '1', key: 'key_1', secret, cluster: 'eu' }).webhook({ headers: m.headers, rawBody: m.text }).isValid()
})

sdk({
  name: 'retell-sdk', provider: 'retell', type: 'body.event',
  sign: async (m, key) => { m.headers['x-retell-signature'] = await Retell.sign(m.text, key) },
  verify: (m, key) => Retell.verify(m.text, key, m.headers['x-retell-signature'])
})

sdk({
  name: 'twilio', provider: 'twilio', type: '=completed', id: '=CA1234567890', tamper: 'url', note: 'by GET',
  sample: { method: 'GET', url: '?CallSid=CA1234567890&CallStatus=completed&To=%2B1555', headers: {} },
  sign: (m, token) => { m.headers['x-twilio-signature'] = twilio.getExpectedTwilioSignature(token, m.url, {}) },
  verify: (m, token) => twilio.validateRequest(token, m.headers['x-twilio-signature'], m.url, {})
})

sdk({
  name: 'twilio', provider: 'twilio', type: 'body.EventType', id: 'header.i-twilio-idempotency-token', note: 'in JSON, with a hash in the URL',
  sample: json({ EventType: 'onMessageAdded', Body: 'Hello 1' }, { 'i-twilio-idempotency-token': 'token-1' }),
  sign: (m, token) => {
    m.url += '?bodySHA256=' + twilio.getExpectedBodyHash(m.text)
    m.headers['x-twilio-signature'] = twilio.getExpectedTwilioSignature(token, m.url, {})
  },
  verify: (m, token) => twilio.validateRequestWithBody(token, m.headers['x-twilio-signature'], m.url, m.text)
})

sdk({
  name: '@larksuiteoapi/node-sdk', provider: 'lark', type: 'body.header.event_type', id: 'body.header.event_id',
  verify: async (m, encryptKey) => {
    const dispatcher = new lark.EventDispatcher({ encryptKey, loggerLevel: lark.LoggerLevel.fatal })
    return !!await dispatcher.invoke(Object.assign(Object.create({ headers: m.headers }), m.json))
  }
})

sdk({
  name: '@sinch/conversation', provider: 'sinch', type: '=message',
  verify: (m, secret) => new ConversationCallbackWebhooks(secret).validateAuthenticationHeader(m.headers, m.text, '', '')
})

sdk({
  name: '@sinch/voice', provider: 'sinch_voice', secret: 'base64', options: ['app_key app-1'], type: 'body.event',
  verify: (m, applicationSecret) => new VoiceCallbackWebhooks({ applicationKey: 'app-1', applicationSecret })
    .validateAuthenticationHeader(m.headers, m.text, new URL(m.url).pathname, m.method)
})

sdk({
  name: 'x-hub-signature', provider: 'meta', others: 'compwright', type: 'body.object',
  sign: (m, secret) => { m.headers['x-hub-signature-256'] = new XHubSignature('sha256', secret).sign(m.body) },
  verify: (m, secret) => new XHubSignature('sha256', secret).verify(m.headers['x-hub-signature-256'], m.body)
})

sdk({
  name: 'grammy', provider: 'telegram', others: 'grammyjs', type: '=message', id: 'body.update_id', tamper: 'header.x-telegram-bot-api-secret-token',
  note: 'Telegram signs nothing: the token is changed',
  verify: async (m, secretToken) => {
    const bot = new Bot('1:none', { botInfo: { id: 1, is_bot: true, first_name: 'b', username: 'b' } })
    const response = await webhookCallback(bot, 'std/http', { secretToken })(new Request(m.url, m))
    return response.ok
  }
})
