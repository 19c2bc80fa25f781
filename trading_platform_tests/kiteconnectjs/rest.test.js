// The official KiteConnect of JavaScript against the exchange.
'use strict';

// the client reads and writes times without a zone as the machine's
process.env.TZ = 'Asia/Kolkata';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { KiteConnect } = require('kiteconnect');
const { KEY, SESSION, simulate } = require('./simulator');
const { pause } = require('./ticker');

const NAMES = ['NSE:SYN001', 'NSE:SYNDEX', 'NSE:NOBODY'];

let simulator, kite;

before(async () => {
    simulator = await simulate('--at', '12:00', '--past', '3');
    kite = new KiteConnect({ ...KEY, root: simulator.rest });
});
after(() => simulator.stop());

// Ask again where the requests of a second are used up.
async function paced(call) {
    for (let tries = 0; ; tries++) {
        try {
            return await call();
        } catch (error) {
            if (error.message !== 'Too many requests' || tries === 3) throw error;
            await pause(1050);
        }
    }
}

const refusal = (error_type, message) => (error) => {
    assert.equal(error.error_type, error_type);
    assert.equal(error.status, 'error');
    assert.match(error.message, message);
    return true;
};

async function instruments(exchange) {
    // the library makes a row of the empty line behind the last one, of Kite's dump too
    const rows = (await paced(() => kite.getInstruments(exchange))).filter((row) => row.instrument_token);
    return new Map(rows.map((row) => [row.tradingsymbol, row]));
}

test('the profile', async () => {
    const profile = await kite.getProfile();
    assert.equal(profile.broker, 'ZERODHA');
    assert.deepEqual(profile.exchanges, ['NFO', 'NSE']);
});

test('instruments, all and of one exchange', async () => {
    const all = await instruments();
    const { instruments: count } = await simulator.control('clock');
    assert.equal(all.size, count);
    const index = all.get('SYNDEX');
    assert.equal(index.segment, 'INDICES');
    assert.equal(Number(index.instrument_token), index.exchange_token * 256 + 9);
    const nfo = [...(await instruments('NFO')).values()];
    assert.ok(nfo.length > 0 && nfo.length < count);
    assert.ok(nfo.every((row) => row.exchange === 'NFO' && row.expiry instanceof Date && row.lot_size > 0));
    await assert.rejects(() => kite.getInstruments('MOON'), refusal('InputException', /exchange/));
});

test('quotes agree with ohlc and ltp, and leave unknown names out', async () => {
    const quote = await paced(() => kite.getQuote(NAMES));
    const ohlc = await paced(() => kite.getOHLC(NAMES));
    const ltp = await paced(() => kite.getLTP(NAMES));
    for (const answer of [quote, ohlc, ltp]) assert.deepEqual(Object.keys(answer), NAMES.slice(0, 2));
    const { instrument_token, last_price, ohlc: day, depth, timestamp, volume } = quote['NSE:SYN001'];
    assert.deepEqual(ohlc['NSE:SYN001'], { instrument_token, last_price, ohlc: day });
    assert.deepEqual(ltp['NSE:SYN001'], { instrument_token, last_price });
    assert.ok(day.low <= last_price && last_price <= day.high && volume > 0);
    assert.deepEqual([depth.buy.length, depth.sell.length], [5, 5]);
    assert.ok(Math.abs(timestamp - new Date(`${SESSION} 12:00:00`)) < 600000);
});

test('too many names in one request', async () => {
    const names = (count) => [...Array(count).keys()].map((number) => `NSE:N${number}`);
    await assert.rejects(() => paced(() => kite.getQuote(names(501))), refusal('InputException', /500/));
    await assert.rejects(() => paced(() => kite.getLTP(names(1001))), refusal('InputException', /1000/));
    assert.deepEqual(await paced(() => kite.getOHLC(names(1000))), {});
});

test('candles: minutes make longer intervals and the day', async () => {
    const token = (await instruments('NSE')).get('SYN001').instrument_token;
    const day = [`${SESSION} 09:15:00`, `${SESSION} 15:30:00`];
    const minutes = await paced(() => kite.getHistoricalData(token, 'minute', ...day));
    assert.equal(minutes.length, 5);
    assert.deepEqual(minutes[0].date, new Date(`${SESSION}T09:15:00+05:30`));
    const volume = minutes.reduce((sum, one) => sum + one.volume, 0);
    const whole = {
        open: minutes[0].open,
        high: Math.max(...minutes.map((one) => one.high)),
        low: Math.min(...minutes.map((one) => one.low)),
        close: minutes[4].close,
        volume,
    };
    for (const interval of ['5minute', '10minute', '15minute', '30minute', '60minute', 'day']) {
        const [{ date, ...candle }, ...more] = await paced(() => kite.getHistoricalData(token, interval, ...day));
        assert.deepEqual([candle, more], [whole, []], interval);
        assert.deepEqual(date, new Date(`${SESSION}T${interval === 'day' ? '00:00' : '09:15'}:00+05:30`));
    }
    // dates as objects, which the client writes in the machine's zone
    const again = await paced(() => kite.getHistoricalData(token, 'minute', ...day.map((text) => new Date(text))));
    assert.deepEqual(again, minutes);
});

test('candles: past sessions, continuous futures, refusals', async () => {
    const futures = [...(await instruments('NFO')).values()].filter((row) => row.instrument_type === 'FUT');
    futures.sort((a, b) => a.expiry - b.expiry);
    const window = ['2026-07-27 00:00:00', `${SESSION} 23:59:59`];
    const [near, next] = futures.map((row) => row.instrument_token);
    const [expiry, ...own] = await paced(() => kite.getHistoricalData(near, 'day', ...window));
    const [expiryContinuous, ...continuous] = await paced(() => kite.getHistoricalData(next, 'day', ...window, true));
    assert.equal(own.length, 3);
    assert.deepEqual(continuous, own);
    // on the 28th the July contract was still the nearest one
    assert.deepEqual(expiryContinuous.date, expiry.date);
    assert.notEqual(expiryContinuous.close, expiry.close);
    const ask = (...given) => () => paced(() => kite.getHistoricalData(...given));
    await assert.rejects(ask(near, 'minute', ...window, true), refusal('InputException', /continuous/));
    await assert.rejects(ask(near, 'minute', '2026-01-01', SESSION), refusal('InputException', /60 days/));
    await assert.rejects(ask(near, '7minute', ...window), refusal('InputException', /interval/));
    await assert.rejects(ask(1, 'day', ...window), refusal('InputException', /token/));
});

test('a path that is not there', async () => {
    await assert.rejects(() => kite.getHoldings(), refusal('GeneralException', /not found/));
});

test('more requests than the published rate', async () => {
    const asked = Promise.all([...Array(5).keys()].map(() => kite.getLTP(NAMES)));
    await assert.rejects(asked, refusal('NetworkException', /Too many requests/));
    await pause(1050);
    const { refused_requests } = await simulator.control('sent');
    assert.ok(refused_requests.quote >= 1);
});

// last: it ends the login of the others
test('a session: login with a checksum, the token before it dies, logout', async () => {
    const own = new KiteConnect({ api_key: KEY.api_key, root: simulator.rest });
    const login = (secret) => own.generateSession('simulator-request', secret);
    await assert.rejects(() => login('wrong'), refusal('TokenException', /checksum/));
    const session = await login('simulator-secret');
    assert.equal(session.api_key, KEY.api_key);
    assert.ok(session.login_time instanceof Date);
    assert.equal((await paced(() => own.getProfile())).user_id, session.user_id);
    let expired = 0;
    kite.setSessionExpiryHook(() => expired++);
    await assert.rejects(() => kite.getProfile(), refusal('TokenException', /access_token/));
    assert.equal(expired, 1);
    assert.equal(await own.invalidateAccessToken(), true);
    await assert.rejects(() => own.getProfile(), refusal('TokenException', /access_token/));
});
