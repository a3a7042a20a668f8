// Sends requests over one HTTP/2 connection, a fixed number at a time, and ends.
"use strict";
const http2 = require("node:http2");

const [port, total, width] = process.argv.slice(2).map(Number);
const client = http2.connect(`http://127.0.0.1:${port}`);
let sent = 0;
let done = 0;

function next() {
  if (sent === total) return;
  const request = client.request({ ":path": `/items/${sent++}` });
  request.resume();
  request.on("end", () => {
    if (++done === total) client.close();
    else next();
  });
}

client.on("error", (error) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
for (let i = 0; i < width; i++) next();
