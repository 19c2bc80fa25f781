// Runs `trading-platform simulate` as a process beside a test; TRADING_PLATFORM names the command.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const COMMAND = process.env.TRADING_PLATFORM || path.join(__dirname, '../../.venv/bin/trading-platform');
const SESSION = '2026-07-31';
const MARKET = ['--synthetic', '--session', SESSION, '--names', '20', '--minutes', '5'];
const KEY = { api_key: 'simulator', access_token: 'simulator-access' };

async function simulate(...options) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kiteconnectjs-'));
    const arguments_ = ['simulate', ...MARKET, '--keep-sent', folder, ...options];
    const child = spawn(COMMAND, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] });
    const addresses = {};
    for await (const line of readline.createInterface({ input: child.stdout })) {
        const [name, address] = line.split(' ');
        addresses[name] = address;
        if (addresses.rest && addresses.websocket) break;
    }
    if (!addresses.websocket) throw new Error(`${COMMAND} ${arguments_.join(' ')} ended before it answered`);
    return new Simulator(child, folder, addresses);
}

class Simulator {
    constructor(child, folder, addresses) {
        this.child = child;
        this.folder = folder;
        this.rest = addresses.rest;
        this.websocket = `${addresses.websocket}/`;
    }

    async control(name, body) {
        const options = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
        const answer = await (await fetch(`${this.rest}/simulator/${name}`, options)).json();
        if (answer.status !== 'success') throw new Error(JSON.stringify(answer));
        return answer.data;
    }

    async sockets() {
        return (await this.control('sent')).sockets;
    }

    // The binary messages of a socket, from the file that was written as they were sent.
    sent(socket) {
        const content = fs.readFileSync(path.join(this.folder, `socket-${socket}.sent`));
        const found = [];
        for (let at = 0; at < content.length; ) {
            const kind = content.readUInt8(at), size = content.readUInt32BE(at + 9);
            at += 13;
            if (kind === 0) found.push(content.subarray(at, at + size));
            at += size;
        }
        return found;
    }

    async stop() {
        this.child.kill('SIGTERM');
        await once(this.child, 'exit');
        fs.rmSync(this.folder, { recursive: true });
    }
}

module.exports = { KEY, SESSION, simulate };
