// Node's ws, broadcasting as its README shows: node ws_node.js SOCKET PUBLISH
'use strict';

const http = require('node:http');
const net = require('node:net');
const { WebSocket, WebSocketServer } = require('ws');

const [socket, publish] = process.argv.slice(2);
const server = http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
server.listen({ path: socket, backlog: 4096 }, () => {
	net.createServer((publisher) => {
		let rest = '';
		publisher.on('data', (data) => {
			const lines = (rest + data).split('\n');
			rest = lines.pop();
			for (const line of lines)
				for (const client of sockets.clients)
					if (client.readyState === WebSocket.OPEN)
						client.send(line);
		});
	}).listen(publish);
});
