// What happens to your calls, as it happens, until you end it: node listen.js. It connects again by itself and goes on where it
// was. What the WebSocket cannot tell any more it reads from GET /events. So every event comes once, in order; who stores
// `position` together with what he has done for an event can also end in between.
//
// CCS_URL and CCS_KEY as in campaign.js. Needs Debian's node-ws, or `npm install ws`.
'use strict';

const WebSocket = require('ws');
const { backoff, fromEnvironment, sleep } = require('./ccs.js');

const EVENTS = ['call_started', 'call_answered', 'call_ended', 'call_failed'];
const address = `${process.env.CCS_URL.replace(/^http/, 'ws').replace(/\/$/, '')}/api/ws/v1/monitoring/ws`;
const ccs = fromEnvironment();
let position; // all events up to this seq have been shown
let hearing = Promise.resolve(); // one message after the other
let pause; // seconds that the server has asked us to wait before we connect again

// An event that comes a second time is left out.
function take(event) {
	if (event.seq <= position)
		return;
	position = event.seq;
	const call = event.payload;
	console.log(event.type, call.call_id, call.phone_number, call.reason ?? call.duration ?? '');
}

// What happened after our position and before this seq; null: all there is.
async function fill(before) {
	const end = before ?? Infinity;
	for (let more = true; more && position < end - 1;) {
		const page = await ccs.get('/events', { after: position, types: EVENTS.join(), limit: 1000 });
		page.items.filter((event) => event.seq < end).forEach(take);
		position = Math.min(page.next_after, end - 1);
		more = page.more;
	}
}

async function hear(message) {
	if ('payload' in message) {
		if (message.prev > position)
			await fill(message.seq);
		take(message);
	} else if (message.type === 'mark') {
		position = Math.max(position, message.seq);
	} else if (message.type === 'resync_required') {
		await fill(message.before);
	} else if (message.type !== 'connected') {
		console.log(JSON.stringify(message)); // subscribed, gap, closing, error
	}
	if (message.type === 'closing')
		pause = message.reconnect_after_ms / 1000;
}

// Until the connection ends; true when it had begun.
function listen() {
	return new Promise((ended) => {
		let opened = false;
		// A key in a header stays out of logs, where one in an address may end.
		const socket = new WebSocket(address, { headers: { 'X-API-KEY': process.env.CCS_KEY } });
		socket.on('open', () => {
			opened = true;
			socket.send(JSON.stringify({ type: 'subscribe', events: EVENTS, resume_from: position }));
		});
		socket.on('message', (text) => {
			hearing = hearing.then(() => hear(JSON.parse(text)));
		});
		socket.on('error', (failure) => console.error(`disconnected: ${failure.message}`));
		socket.on('close', () => hearing.then(() => ended(opened)));
	});
}

(async () => {
	position = (await ccs.get('/events', { limit: 1 })).last_seq;
	for (let attempt = 1; ; attempt++) {
		if (await listen())
			attempt = 0;
		await sleep(pause ?? backoff(attempt + 1));
		pause = undefined;
	}
})();
