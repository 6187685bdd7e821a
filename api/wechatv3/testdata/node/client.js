// A merchant's software in JavaScript: it does what it reads, one JSON object a
// line, and says how that went. All that is WeChat Pay's is done by
// wechatpay-axios-plugin: signing, verifying, decrypting.
'use strict';

const fs = require('fs');
const http = require('http');
const readline = require('readline');
const { Wechatpay, Rsa, Aes, Formatter } = require('wechatpay-axios-plugin');

const config = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const certs = { [config.platform]: Rsa.from(config.publicKey, Rsa.KEY_TYPE_PUBLIC) };
const wxpay = new Wechatpay({
  mchid: config.mchid, serial: config.serial, privateKey: config.privateKey, certs, baseURL: config.baseURL,
});

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const open = (r) => Aes.AesGcm.decrypt(r.ciphertext, config.apiKey, r.nonce, r.associated_data);

// What comes to the address of notifications is believed only when it is signed
// and in time; what does not open is not taken.
function notified(headers, body) {
  const [time, nonce] = [headers['wechatpay-timestamp'], headers['wechatpay-nonce']];
  const key = certs[headers['wechatpay-serial']];
  if (!key || Math.abs(Formatter.timestamp() - time) > 300) throw new Error('another key, or another time');
  if (!Rsa.verify(Formatter.response(time, nonce, body), headers['wechatpay-signature'], key)) throw new Error('badly signed');
  const told = JSON.parse(body);
  return { id: told.id, type: told.event_type, resource: JSON.parse(open(told.resource)) };
}

const server = http.createServer((req, res) => {
  const parts = [];
  req.on('data', (part) => parts.push(part));
  req.on('end', () => {
    try {
      say({ notification: notified(req.headers, Buffer.concat(parts).toString('utf8')) });
      res.writeHead(204).end();
    } catch (e) {
      say({ notification: { error: e.message } });
      res.writeHead(401).end();
    }
  });
});

const jobs = {
  async call({ method, path, body }) {
    const at = wxpay.chain(path);
    const res = await (method === 'get' ? at.get({ params: body }) : at[method](body));
    return { status: res.status, data: res.data };
  },
  async certificates() {
    const { data } = await wxpay.chain('v3/certificates').get();
    return { data: data.data.map((one) => ({ serial: one.serial_no, text: open(one.encrypt_certificate) })) };
  },
  async encrypt({ text }) { return { data: Rsa.encrypt(text, certs[config.platform]) }; },
  async decrypt({ text }) { return { data: Rsa.decrypt(text, Rsa.from(config.privateKey, Rsa.KEY_TYPE_PRIVATE)) }; },
};

server.listen(0, '127.0.0.1', () => {
  say({ listening: `http://127.0.0.1:${server.address().port}/notify` });
  readline.createInterface({ input: process.stdin }).on('line', async (line) => {
    const job = JSON.parse(line);
    try {
      say({ answer: await jobs[job.do](job) });
    } catch (e) {
      const of = e.response || {};
      say({ answer: { status: of.status, error: e.code, data: of.data } });
    }
  }).on('close', () => process.exit(0));
});
