// An HTTP/2 server whose answers cost some allocation. Says on which port it listens.
"use strict";
const http2 = require("node:http2");

const server = http2.createServer();
server.on("stream", (stream, headers) => {
  const items = [];
  for (let i = 0; i < 40; i++) {
    items.push({ id: i, path: headers[":path"], tags: ["a", "b", String(i)] });
  }
  stream.respond({ ":status": 200, "content-type": "application/json" });
  stream.end(JSON.stringify(items));
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`port ${server.address().port}\n`);
});
