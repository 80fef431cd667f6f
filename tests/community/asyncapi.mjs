// Standard input: {"document", "frames"}. Standard output: what is wrong with either, as JSON.
import { createRequire } from "node:module";

const require = createRequire(new URL("../package.json", import.meta.url));
const Ajv = require("ajv").default;
const addFormats = require("ajv-formats").default;
const specification = require("@asyncapi/specs/schemas/3.0.0-without-$id.json");

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { document, frames } = JSON.parse(text);

const official = new Ajv({ allErrors: true, strict: false });
addFormats(official);
const isDescription = official.compile(specification);
const wrong = isDescription(document) ? [] : isDescription.errors.map((each) => `document: ${each.instancePath} ${each.message}`);

// every reference leads somewhere
const at = (ref) => ref.slice(2).split("/").reduce((here, name) => here?.[name], document);
JSON.stringify(document, (name, value) => {
  if (name === "$ref" && at(value) === undefined) wrong.push(`document: ${value} leads nowhere`);
  return value;
});

const own = new Ajv({ strict: false });
own.addSchema(document, "asyncapi");
for (const { by, frame } of frames) {
  const operations = Object.values(document.operations).filter(({ action }) => action === (by === "page" ? "receive" : "send"));
  const named = operations.flatMap(({ messages }) => messages.map(({ $ref }) => at(at($ref).$ref)));
  const message = named.find(({ name }) => name === frame.type);
  if (!message) wrong.push(`${frame.type} is not described`);
  else {
    const fits = own.compile({ $ref: `asyncapi${message.payload.$ref}` });
    if (!fits(frame)) wrong.push(`${JSON.stringify(frame)}: ${own.errorsText(fits.errors)}`);
  }
}
console.log(JSON.stringify(wrong));
