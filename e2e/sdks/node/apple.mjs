// A chain of certificates as Apple's, with the extensions by which its library
// tells those for receipts.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function appleChain () {
  const dir = mkdtempSync(join(tmpdir(), 'apple-'))
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  const certify = (name, issuer, extensions) => {
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`)
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`)
    writeFileSync(join(dir, 'ext'), extensions.join('\n'))
    const by = issuer ? ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial'] : ['-signkey', `${name}.key`]
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-days', '2', '-extfile', 'ext', '-out', `${name}.pem`)
    return readFileSync(join(dir, `${name}.pem`), 'utf8')
  }
  const ca = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']
  const root = certify('root', null, ca)
  const middle = certify('middle', 'root', [...ca, '1.2.840.113635.100.6.2.1=ASN1:NULL'])
  const leaf = certify('leaf', 'middle', ['keyUsage=critical,digitalSignature', '1.2.840.113635.100.6.11.1=ASN1:NULL'])
  openssl('pkcs8', '-topk8', '-nocrypt', '-in', 'leaf.key', '-out', 'leaf.pk8')
  const key = readFileSync(join(dir, 'leaf.pk8'), 'utf8')
  rmSync(dir, { recursive: true })
  return { root: new X509Certificate(root).raw, pem: key + leaf + middle + root }
}
