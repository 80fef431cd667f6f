// mppx (npm), unmodified: it watches with a method of ours, and reads what the server says.
// node mppx_peer.mjs URL TOKEN; one JSON object on standard output.
import { Challenge, Credential, Method, Receipt, z } from "mppx";
import { Mppx } from "mppx/client";

const [url, token] = process.argv.slice(2);
const seen = {};

const paystream = Method.toClient(
  Method.from({
    name: "paystream",
    intent: "session",
    schema: {
      credential: { payload: z.object({ token: z.string() }) },
      request: z.object({ amount: z.string(), currency: z.string() }),
    },
  }),
  {
    async createCredential({ challenge }) {
      seen.challenge = challenge;
      seen.authorization = Credential.serialize({ challenge, payload: { token } });
      return seen.authorization;
    },
  },
);

const offer = { method: "POST", headers: { "Content-Type": "application/sdp" }, body: "v=0" };
const client = Mppx.create({ methods: [paystream], polyfill: false });
const response = await client.fetch(url, offer);
seen.status = response.status;
seen.receipt = Receipt.fromResponse(response);

// Its own reader of the plain 402, and its own server's judgement of a credential's text.
const headers = { ...offer.headers, "Accept-Payment": "paystream/*" };
const again = Challenge.fromResponse(await fetch(url, { ...offer, headers }));
seen.again = { id: again.id, realm: again.realm, expires: again.expires };
seen.read = Credential.deserialize(seen.authorization).payload;
seen.made = Challenge.from({
  secretKey: "of the test",
  realm: "live.example",
  method: "paystream",
  intent: "session",
  request: { currency: "native", amount: "1", methodDetails: { b: [1, true], a: "é" } },
  expires: "2030-01-31T12:00:00Z",
});
seen.shown = Challenge.serialize(seen.made);
console.log(JSON.stringify(seen));
