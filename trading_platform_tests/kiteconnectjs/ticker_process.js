// The official KiteTicker as a process of its own: the library keeps one ticker in globals, and can end its process.
// Its one argument is an object {root, api_key, access_token, calls: [[method, arguments...], ...]}; the calls are made
// whenever it connects. Prints one JSON line an event.
'use strict';

const { KiteTicker } = require('kiteconnect');

const { calls, ...params } = JSON.parse(process.argv[2]);
const say = (event, facts) => process.stdout.write(`${JSON.stringify({ event, at: Date.now(), ...facts })}\n`);

const ticker = new KiteTicker(params);
ticker.on('connect', () => {
    say('connect');
    for (const [method, ...given] of calls) ticker[method](...given);
});
ticker.on('message', (payload) => say('message', { payload: Buffer.from(payload).toString('hex') }));
ticker.on('ticks', (ticks) => say('ticks', { ticks }));
ticker.on('order_update', (data) => say('order_update', { data }));
ticker.on('error', (error) => say('error', { message: error.message }));
ticker.on('close', (event) => say('close', { code: event.code }));
ticker.on('disconnect', () => say('disconnect'));
ticker.on('reconnect', (attempt, seconds) => say('reconnect', { attempt, seconds }));
ticker.connect();
