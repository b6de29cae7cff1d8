// The table of packages. An entry says what sdk_test.go's sdk says, and may have
//
//   sign(m, secret)    signs the message: sets headers, or body
//   verify(m, secret)  throws or returns false if it refuses the message

export const sdks = []

export const sdk = (entry) => sdks.push(entry)

// json makes a message of a JSON body.
export function json (body, headers = {}) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(body)).toString('base64')
  }
}

export const seconds = () => Math.floor(Date.now() / 1000)
