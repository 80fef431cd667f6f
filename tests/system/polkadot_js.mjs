// What @polkadot/api, unmodified, makes of the node: one JSON object on standard output.
// Arguments: the node's URL, and a SignerPayloadJSON to sign with //Alice as a wallet does.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../package.json', import.meta.url));
const { ApiPromise, Keyring, WsProvider } = require('@polkadot/api');

const [url, payloadJson] = process.argv.slice(2);
const api = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: true });
const alice = new Keyring({ type: 'sr25519' }).addFromUri('//Alice');

// as the extension does it: a registry that knows the chain's extensions by name, and the payload
const payload = JSON.parse(payloadJson);
api.registry.setSignedExtensions(payload.signedExtensions);
const signed = api.registry
  .createType('ExtrinsicPayload', payload, { version: payload.version })
  .sign(alice);

const remark = await new Promise((resolve, reject) => {
  api.tx.system
    .remarkWithEvent('hello')
    .signAndSend(alice, ({ status, events, dispatchError }) => {
      if (dispatchError) reject(new Error(dispatchError.toString()));
      if (status.isInBlock) {
        resolve({
          block: status.asInBlock.toHex(),
          events: events.map(({ event }) => `${event.section}.${event.method}`),
        });
      }
    })
    .catch(reject);
});

let block = await api.rpc.chain.getBlock();
const versions = new Set();
for (let left = 64; left > 0 && block.block.header.number.toNumber() > 0; left -= 1) {
  for (const extrinsic of block.block.extrinsics) versions.add(`${extrinsic.method.section}.${extrinsic.method.method}`);
  block = await api.rpc.chain.getBlock(block.block.header.parentHash);
}
const streams = await api.query.payStream.streams.entries();
const finalized = await api.rpc.chain.getFinalizedHead();

process.stdout.write(
  JSON.stringify({
    chain: (await api.rpc.system.chain()).toString(),
    symbol: api.registry.chainTokens[0],
    decimals: api.registry.chainDecimals[0],
    minTickSeconds: api.consts.payStream.minTickSeconds.toNumber(),
    errors: Object.keys(api.errors.payStream).length,
    streams: streams.map(([key, value]) => [key.args[0].toNumber(), value.unwrap().owner.toString()]),
    calls: [...versions],
    remark,
    finalized: finalized.toHex(),
    signature: signed.signature,
  }),
);
await api.disconnect();
