// Writes a JSON Web Key as PEM, which is what HAProxy reads.
import { createPublicKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const [from, to] = process.argv.slice(2);
const key = createPublicKey({ key: JSON.parse(readFileSync(from, "utf8")), format: "jwk" });
writeFileSync(to, key.export({ type: "spki", format: "pem" }));
