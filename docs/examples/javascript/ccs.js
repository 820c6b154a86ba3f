// A client of the Centralized Calling System for Node 18 and later. It repeats what may be repeated, waits as long as it is told,
// and logs it. NODE_EXTRA_CA_CERTS names a certificate authority of your own.
//
//     const ccs = new Ccs(process.env.CCS_URL, { key: process.env.CCS_KEY });
//     await ccs.post('/queues/quickcall', { phone_number: '9876543210' }, { idempotencyKey: 'order-17' });
'use strict';

const fs = require('node:fs');
const { Readable } = require('node:stream');

const ATTEMPTS = 6;
const SECONDS = 30; // for one attempt
const FILE_SECONDS = 600; // for one attempt to send a file
const REPEAT = [429, 502, 503, 504]; // nothing is wrong with the request

const sleep = (seconds) => new Promise((done) => setTimeout(done, Math.max(0, seconds) * 1000));

// Seconds: longer each time, and not the same for all who were cut off together.
const backoff = (attempt) => (0.5 + Math.random() / 2) * Math.min(30, 2 ** (attempt - 1) / 2);

class CcsError extends Error {
	constructor(error) {
		super(`${error.status_code} ${error.code}: ${error.detail} (request ${error.request_id})`);
		this.code = error.code;
	}
}

class Ccs {
	constructor(url, { key, username, password, log = console.error } = {}) {
		this.url = `${url.replace(/\/$/, '')}/api/v1`;
		this.headers = { 'Content-Type': 'application/json', ...(key && { 'X-API-KEY': key }) };
		this.login = key ? null : { username, password };
		this.freeAt = 0; // when the next request may be sent
		this.log = log;
	}

	get(path, query = {}) {
		return this.request('GET', path, { query });
	}

	post(path, body = {}, { idempotencyKey } = {}) {
		return this.request('POST', path, { body: JSON.stringify(body), idempotencyKey });
	}

	// Sends a file as it is, piece by piece.
	load(path, file, type, query = {}) {
		const body = () => Readable.toWeb(fs.createReadStream(file));
		return this.request('POST', path, { query, body, type, seconds: FILE_SECONDS });
	}

	// The answer's JSON. An attempt that failed for no fault of ours is made again, exactly as it was.
	async request(method, path, { query = {}, body, type, idempotencyKey, seconds = SECONDS }) {
		if (this.login && !this.headers.Authorization && !path.startsWith('/auth/'))
			await this.signIn();
		const address = `${this.url}${path}?${new URLSearchParams(query)}`;
		for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
			await sleep(this.freeAt - Date.now() / 1000);
			const headers = { ...this.headers, ...(type && { 'Content-Type': type }),
				...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }) };
			const sent = typeof body === 'function' ? body() : body; // a stream is read once
			let wait = backoff(attempt);
			try {
				const answer = await fetch(address,
					{ method, headers, body: sent, duplex: 'half', signal: AbortSignal.timeout(seconds * 1000) });
				const said = await answer.json();
				this.pace(answer.headers);
				this.log(`${method} ${path}: ${answer.status} (request ${answer.headers.get('X-Request-Id')})`);
				if (answer.ok)
					return said;
				if (await this.renewed(path, answer.status))
					continue;
				if (!REPEAT.includes(answer.status) || attempt === ATTEMPTS)
					throw new CcsError(said);
				wait = Number(answer.headers.get('Retry-After') ?? wait);
			} catch (failure) {
				if (failure instanceof CcsError)
					throw failure;
				// It is not known whether the request arrived.
				this.log(`${method} ${path}: ${failure.cause?.code ?? failure.name}; attempt ${attempt}`);
			}
			await sleep(wait);
		}
		throw new Error(`${method} ${path}: no answer in ${ATTEMPTS} attempts`);
	}

	// Does not run into the limit: with nothing left, the next request waits for the next minute.
	pace(headers) {
		if (headers.get('X-RateLimit-Remaining') === '0')
			this.freeAt = Number(headers.get('X-RateLimit-Reset'));
	}

	async signIn() {
		this.use(await this.post('/auth/login', this.login));
	}

	// An access token lives half an hour; the refresh token, which is good once, gets the next.
	async renewed(path, status) {
		if (status !== 401 || !this.refreshToken || path === '/auth/refresh')
			return false;
		const token = this.refreshToken;
		this.refreshToken = null;
		this.use(await this.post('/auth/refresh', { refresh_token: token }));
		return true;
	}

	use(tokens) {
		this.headers.Authorization = `Bearer ${tokens.access_token}`;
		this.refreshToken = tokens.refresh_token;
	}
}

// The account that the environment names. Secrets come from there or from a file, never from a command line.
function fromEnvironment() {
	const { CCS_URL, CCS_KEY, CCS_USERNAME, CCS_PASSWORD } = process.env;
	return new Ccs(CCS_URL, { key: CCS_KEY, username: CCS_USERNAME, password: CCS_PASSWORD });
}

module.exports = { Ccs, CcsError, backoff, fromEnvironment, sleep };
