// Sends the messages in /mnt/jobs: nodemailer.js PORT MODE WISH USER PASSWORD

const fs = require('fs');
const nodemailer = require('nodemailer');

const [port, mode, wish, user, pass] = process.argv.slice(2);
const encrypted = mode !== 'clear' && mode !== 'LMTP';
const transport = nodemailer.createTransport({
  host: 'localhost',
  port: Number(port),
  name: 'client.test',
  pool: mode !== 'LMTP',
  maxConnections: 1,
  secure: mode === 'implicit TLS',
  requireTLS: encrypted,
  ignoreTLS: !encrypted,
  lmtp: mode === 'LMTP',
  tls: { ca: fs.readFileSync('/mnt/ca.pem') },
  auth: mode.startsWith('AUTH') ? { user, pass } : undefined,
  authMethod: mode.startsWith('AUTH') ? mode.split(' ')[1] : undefined,
  debug: true,
  logger: true,
});

async function main() {
  for (const job of fs.readdirSync('/mnt/jobs').sort()) {
    const read = name => fs.readFileSync(`/mnt/jobs/${job}/${name}`);
    const envelope = {
      from: read('sender').toString().trim(),
      to: read('recipients').toString().trim().split('\n'),
      use8BitMime: true,
    };
    const dsn =
      wish === 'Notification'
        ? { id: 'interop', return: 'headers', notify: ['success', 'failure'] }
        : undefined;
    await transport.sendMail({ envelope, dsn, raw: read('content') });
  }
  transport.close();
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
