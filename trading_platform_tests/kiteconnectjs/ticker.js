// Starts a ticker process and waits for what it says.
'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');
const readline = require('node:readline');
const { setTimeout: pause } = require('node:timers/promises');
const { KEY } = require('./simulator');

const LIMIT_MS = 60000;

class Ticker {
    constructor(simulator, calls, key = KEY) {
        const plan = { root: simulator.websocket, ...key, calls };
        this.events = [];
        this.child = spawn(process.execPath, [path.join(__dirname, 'ticker_process.js'), JSON.stringify(plan)], {
            stdio: ['ignore', 'pipe', 'inherit'],
        });
        const lines = readline.createInterface({ input: this.child.stdout });
        lines.on('line', (line) => this.events.push(JSON.parse(line)));
    }

    of(event) {
        return this.events.filter((one) => one.event === event);
    }

    ticks() {
        return this.of('ticks').flatMap((one) => one.ticks);
    }

    payloads() {
        return this.of('message').map((one) => Buffer.from(one.payload, 'hex'));
    }

    // Return the event that makes it so many.
    async wait(event, count = 1) {
        await this.until(() => this.of(event).length >= count);
        return this.of(event)[count - 1];
    }

    async until(condition) {
        for (const begun = Date.now(); !(await condition()); await pause(20)) {
            const last = JSON.stringify(this.events.slice(-2)).slice(0, 500);
            if (Date.now() - begun > LIMIT_MS) throw new Error(`it did not happen; ${last}`);
            if (this.child.exitCode !== null) throw new Error(`the ticker ended by itself; ${last}`);
        }
    }

    stop() {
        this.child.kill('SIGKILL');
    }
}

module.exports = { Ticker, pause };
