// Frames read by the published table of offsets with nothing but Buffer, to hold the client's ticks against.
'use strict';

const INDICES = 9;

function packetsOf(frame) {
    const found = [];
    for (let at = 2; frame.length > 1 && at < frame.length; ) {
        const size = frame.readUInt16BE(at);
        found.push(frame.subarray(at + 2, at + 2 + size));
        at += 2 + size;
    }
    return found;
}

// Prices of NSE and NFO: a word is a hundredth of a rupee. Absent fields are undefined, as in the client's ticks.
function tickOf(packet) {
    const word = (at) => (at < packet.length ? packet.readUInt32BE(at) : undefined);
    const price = (at) => (at < packet.length ? word(at) / 100 : undefined);
    const token = word(0), index = (token & 0xff) === INDICES;
    const tick = { instrument_token: token, last_price: price(4), tradable: !index };
    if (packet.length === 8) return { ...tick, mode: 'ltp' };
    if (index) {
        const mode = packet.length === 32 ? 'full' : 'quote';
        const ohlc = { high: price(8), low: price(12), open: price(16), close: price(20) };
        return { ...tick, mode, ohlc, exchange_timestamp: word(28) };
    }
    const quote = {
        ...tick,
        mode: packet.length === 184 ? 'full' : 'quote',
        last_traded_quantity: word(8),
        average_traded_price: price(12),
        volume_traded: word(16),
        total_buy_quantity: word(20),
        total_sell_quantity: word(24),
        ohlc: { open: price(28), high: price(32), low: price(36), close: price(40) },
    };
    if (packet.length === 44) return quote;
    const row = (at) => ({ quantity: word(at), price: price(at + 4), orders: packet.readUInt16BE(at + 8) });
    const rows = [...Array(10).keys()].map((number) => row(64 + 12 * number));
    return {
        ...quote,
        last_trade_time: word(44) || null,
        oi: word(48),
        oi_day_high: word(52),
        oi_day_low: word(56),
        exchange_timestamp: word(60),
        depth: { buy: rows.slice(0, 5), sell: rows.slice(5) },
    };
}

// A tick of the client, its times as seconds, without `change`, which it computes.
function plain({ change: _, ...tick }) {
    for (const name of ['last_trade_time', 'exchange_timestamp']) {
        if (tick[name]) tick[name] = Date.parse(tick[name]) / 1000;
    }
    return tick;
}

// JSON leaves out what is undefined
const ticksOf = (frame) => packetsOf(frame).map((packet) => JSON.parse(JSON.stringify(tickOf(packet))));

module.exports = { packetsOf, plain, ticksOf };
