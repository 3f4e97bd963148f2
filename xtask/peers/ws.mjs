// The same broadcast on Node with `ws`, as its documentation has it: one `send` a client and event.
import { createInterface } from "node:readline";
import { WebSocketServer, WebSocket } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("listening", () => console.log(server.address().port));

for await (const line of createInterface({ input: process.stdin })) {
  const [word, count, size] = line.split(" ");
  if (word !== "burst") continue;
  for (let n = 0; n < Number(count); n += 1) {
    const head = `{"at":${Math.round((performance.timeOrigin + performance.now()) * 1000)},"text":"`;
    const data = `${head}${"x".repeat(Math.max(0, Number(size) - head.length - 2))}"}`;
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data);
    }
    // Lets sockets be written, as a server's events would.
    if (n % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
  }
}
