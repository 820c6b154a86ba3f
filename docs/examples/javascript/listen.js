// What happens to your calls, as it happens, until you end it: node listen.js. It connects again by itself, and says when it has
// missed something: what then is true stands in GET /client-call-details/details.
//
// CCS_URL and CCS_KEY as in campaign.js. Needs Debian's node-ws, or `npm install ws`.
'use strict';

const WebSocket = require('ws');
const { backoff, sleep } = require('./ccs.js');

const EVENTS = ['call_started', 'call_answered', 'call_ended', 'call_failed'];
const address = `${process.env.CCS_URL.replace(/^http/, 'ws').replace(/\/$/, '')}/api/ws/v1/monitoring/ws`;
let lastSeq = null;

function hear(text) {
	const message = JSON.parse(text);
	if (!('seq' in message)) {
		if (message.type !== 'connected')
			console.log(String(text)); // subscribed, gap, error
		return;
	}
	if (lastSeq && message.prev > lastSeq)
		console.log(`missed what came after ${lastSeq}`);
	lastSeq = message.seq;
	const call = message.payload;
	console.log(message.type, call.call_id, call.phone_number, call.reason ?? call.duration ?? '');
}

// Until the connection ends; true when it had begun.
function listen() {
	return new Promise((ended) => {
		let opened = false;
		// A key in a header stays out of logs, where one in an address may end.
		const socket = new WebSocket(address, { headers: { 'X-API-KEY': process.env.CCS_KEY } });
		socket.on('open', () => {
			opened = true;
			socket.send(JSON.stringify({ type: 'subscribe', events: EVENTS }));
		});
		socket.on('message', hear);
		socket.on('error', (failure) => console.error(`disconnected: ${failure.message}`));
		socket.on('close', () => ended(opened));
	});
}

(async () => {
	for (let attempt = 1; ; attempt++) {
		if (await listen())
			attempt = 0;
		await sleep(backoff(attempt + 1));
	}
})();
