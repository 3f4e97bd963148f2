// The same small service on Node with `jose`, as its documentation sets it up.
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

const keys = createRemoteJWKSet(new URL(process.argv[2]));
const expected = { issuer: "https://id.example", audience: "quoroom-runtime" };

const server = createServer(async (request, response) => {
  try {
    const [scheme, token] = (request.headers.authorization ?? "").split(" ");
    if (scheme !== "Bearer") throw new Error("no bearer");
    const { payload } = await jwtVerify(token, keys, expected);
    if (payload.instanceId !== "inst-1") throw new Error("another instance");
    response.end("ok");
  } catch {
    response.statusCode = 401;
    response.end();
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
