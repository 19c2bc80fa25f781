// The official KiteTicker of JavaScript against the exchange.
'use strict';

process.env.TZ = 'Asia/Kolkata';

const assert = require('node:assert/strict');
const { before, test } = require('node:test');
const { KiteConnect } = require('kiteconnect');
const { packetsOf, plain, ticksOf } = require('./packets');
const { KEY, SESSION, simulate } = require('./simulator');
const { Ticker } = require('./ticker');

let all; // tokens of the session

before(async () => {
    const simulator = await simulate();
    const rows = await new KiteConnect({ ...KEY, root: simulator.rest }).getInstruments();
    all = rows.filter((row) => row.instrument_token).map((row) => Number(row.instrument_token));
    await simulator.stop();
});

// Start an exchange, and tickers on it, that end with the test.
async function start(t, ...options) {
    const simulator = await simulate(...options);
    const tickers = [];
    t.after(async () => {
        for (const ticker of tickers) ticker.stop();
        await simulator.stop();
    });
    const connect = (calls, key) => {
        tickers.push(new Ticker(simulator, calls, key));
        return tickers.at(-1);
    };
    return { simulator, connect };
}

const STEADY = ['--at', '09:16', '--packets-per-second', '5'];
const isIndex = (token) => (token & 0xff) === 9;

// Bars of full ticks: what Kite calls a candle. An index trades nothing.
function minutesOf(ticks) {
    const bars = new Map();
    for (const tick of ticks) {
        const minute = Math.floor(tick.exchange_timestamp / 60) * 60;
        const price = tick.last_price, volume = tick.volume_traded || 0;
        const { open, high, low } = bars.get(minute) || { open: price, high: price, low: price };
        bars.set(minute, { open, high: Math.max(high, price), low: Math.min(low, price), close: price, volume });
    }
    let before = 0;
    for (const bar of bars.values()) [bar.volume, before] = [bar.volume - before, bar.volume];
    return [...bars].map(([minute, bar]) => ({ date: new Date(minute * 1000), ...bar }));
}

test('a session in full mode: each byte, each tick, the quotes and candles of REST', async (t) => {
    const { simulator, connect } = await start(t, '--hold', '--speed', '60');
    const ticker = connect([['subscribe', all], ['setMode', 'full', all]]);
    await ticker.until(async () => {
        const clock = await simulator.control('clock');
        return clock.now_ns > (clock.end + 30) * 1e9;
    });
    const [told] = await simulator.sockets();
    await ticker.until(() => ticker.ticks().length === told.packets);
    assert.deepEqual(told.asked_last, [`subscribe ${all.length}`, `mode full ${all.length}`]);
    const received = ticker.payloads();
    await simulator.sockets(); // after it everything is in the file
    assert.deepEqual(received, simulator.sent(0).slice(0, received.length));
    const frames = received.filter((frame) => frame.length > 1);
    assert.equal(frames.length, told.frames);
    assert.ok(frames.some((frame) => packetsOf(frame).length > 1));
    const ticks = ticker.ticks().map(plain);
    assert.deepEqual(ticks, frames.flatMap(ticksOf));

    const kite = new KiteConnect({ ...KEY, root: simulator.rest });
    const quotes = await kite.getQuote(all.map(String));
    const of = (token) => ticks.filter((tick) => tick.instrument_token === token);
    for (const token of all) compareQuote(quotes[token], of(token).at(-1));
    for (const token of [all[0], all[3], all.at(-1)]) {
        const candles = await kite.getHistoricalData(token, 'minute', `${SESSION} 09:15:00`, `${SESSION} 09:20:00`);
        assert.deepEqual(candles, minutesOf(of(token)));
    }
});

// What REST says of an instrument is what the websocket said last.
function compareQuote(quote, last) {
    assert.deepEqual([quote.instrument_token, quote.last_price], [last.instrument_token, last.last_price]);
    assert.deepEqual(quote.ohlc, last.ohlc);
    if (isIndex(quote.instrument_token)) return;
    assert.equal(quote.last_trade_time / 1000, last.last_trade_time);
    assert.deepEqual([quote.volume, quote.average_price], [last.volume_traded, last.average_traded_price]);
    assert.deepEqual([quote.buy_quantity, quote.sell_quantity], [last.total_buy_quantity, last.total_sell_quantity]);
    assert.deepEqual([quote.last_quantity, quote.oi, quote.depth], [last.last_traded_quantity, last.oi, last.depth]);
    assert.deepEqual([quote.oi_day_high, quote.oi_day_low], [last.oi_day_high, last.oi_day_low]);
}

test('modes: quote by default, then full, then ltp; what is unsubscribed is silent', async (t) => {
    const [index, stock] = [all.find(isIndex), all.find((token) => !isIndex(token))];
    const { connect } = await start(t, ...STEADY, '--speed', '4', '--minutes', '60');
    const watch = async (calls, count) => {
        const ticker = connect([['subscribe', [index, stock]], ...calls]);
        await ticker.until(() => ticker.ticks().length > count);
        ticker.stop();
        const packets = ticker.payloads().flatMap(packetsOf), parsed = ticker.ticks().map(plain);
        assert.deepEqual(parsed, ticker.payloads().flatMap(ticksOf).slice(0, parsed.length));
        return { lengths: new Set(packets.map((packet) => packet.length)), ticks: parsed };
    };
    const cases = { quote: new Set([28, 44]), full: new Set([28, 44, 32, 184]), ltp: new Set([28, 44, 8]) };
    for (const [mode, lengths] of Object.entries(cases)) {
        const found = await watch(mode === 'quote' ? [] : [['setMode', mode, [index, stock]]], 30);
        assert.deepEqual(found.lengths, lengths);
        assert.equal(found.ticks.at(-1).mode, mode);
    }
    const { ticks } = await watch([['unsubscribe', [stock]]], 20);
    assert.deepEqual(new Set(ticks.slice(5).map((tick) => tick.instrument_token)), new Set([index]));
});

test('before the first tick the cached one is of the session before', async (t) => {
    const token = all.find((one) => !isIndex(one));
    const { connect } = await start(t, '--at', '09:00', '--yesterday');
    const { ticks } = await connect([['setMode', 'full', [token]]]).wait('ticks');
    assert.equal(ticks[0].last_trade_time, '2026-07-30T09:59:59.000Z');
});

test('heartbeats each second, postbacks as order updates', async (t) => {
    const { simulator, connect } = await start(t, '--hold');
    const ticker = connect([]);
    const third = await ticker.wait('message', 3);
    assert.ok(third.at - ticker.of('message')[0].at > 1500);
    assert.deepEqual(ticker.payloads().slice(0, 3), Array(3).fill(Buffer.from([0])));
    const data = { order_id: '1', status: 'COMPLETE' };
    for (const type of ['message', 'error', 'order']) await simulator.control('messages', { type, data });
    assert.deepEqual((await ticker.wait('order_update')).data, data);
    assert.deepEqual([ticker.of('order_update').length, ticker.of('ticks').length], [1, 0]);
});

test('after a drop it connects again and its calls bring the ticks back', async (t) => {
    const { simulator, connect } = await start(t, ...STEADY);
    const ticker = connect([['subscribe', all], ['setMode', 'full', all]]);
    await ticker.wait('ticks');
    await simulator.control('faults', { kind: 'drop' });
    assert.equal((await ticker.wait('close')).code, 1006);
    await ticker.wait('connect', 2);
    await ticker.wait('ticks', ticker.of('ticks').length + 3);
    const [, second] = await simulator.sockets();
    assert.deepEqual(second.asked_last, [`subscribe ${all.length}`, `mode full ${all.length}`]);
});

test('a socket that is silent with its TCP open is seen by its read timer', async (t) => {
    const { simulator, connect } = await start(t, ...STEADY);
    const ticker = connect([['subscribe', all]]);
    await ticker.wait('ticks');
    await simulator.control('faults', { kind: 'silence', socket: 0 });
    const begun = Date.now();
    await ticker.wait('disconnect');
    const seconds = (Date.now() - begun) / 1000;
    t.diagnostic(`the client took ${seconds.toFixed(1)} s`);
    assert.ok(seconds > 4); // it looks every five seconds
    await ticker.wait('connect', 2);
});

test('a refused token is 403 on the upgrade, again and again', async (t) => {
    const { simulator, connect } = await start(t);
    const ticker = connect([], { ...KEY, access_token: 'wrong' });
    assert.match((await ticker.wait('error', 2)).message, /403/);
    assert.equal(ticker.of('connect').length, 0);
    assert.ok((await simulator.control('faults')).refused_token_on_upgrade >= 2);
});
