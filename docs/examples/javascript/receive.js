#!/usr/bin/env node
// Takes callbacks: believes what is signed, takes each event once, answers at once.
//
//     CCS_WEBHOOK_SECRET=whsec_... receive.js PORT
//
// Speaks http: put it behind your web server, which has the certificate for your callbackurl. While a secret is changed,
// CCS_WEBHOOK_SECRET holds both, separated by a blank. Prints one line for each event.
"use strict";
const crypto = require("node:crypto");
const http = require("node:http");

const TOLERANCE_SECONDS = 300;
const keys = process.env.CCS_WEBHOOK_SECRET.split(" ")
  .map((secret) => Buffer.from(secret.replace(/^whsec_/, ""), "base64"));
const seen = new Set(); // a real receiver keeps ids where they outlive it, with what it does about the event

function same(a, b) {
  const left = Buffer.from(a), right = Buffer.from(b);
  return left.length === right.length && crypto.timingSafeEqual(left, right);
}

// One of our keys made one of the signatures, not long ago, over this very body.
function isOurs(headers, body) {
  const id = headers["webhook-id"] ?? "", timestamp = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const expected = keys.map((key) => "v1," +
    crypto.createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64"));
  return (headers["webhook-signature"] ?? "").split(" ").some((given) => expected.some((one) => same(given, one)));
}

// What you do about it. Quickly, or later: we wait five seconds for the answer.
function take(event) {
  console.log(event.type, event.id);
}

http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces), id = request.headers["webhook-id"];
    const ours = isOurs(request.headers, body);
    if (ours && !seen.has(id)) {
      take(JSON.parse(body));
      seen.add(id);
    }
    response.writeHead(ours ? 200 : 401, { "Content-Length": 0 });
    response.end();
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
