"""What a journal may not hold, what its contents do, and what comes out of them."""

import dataclasses
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import orjson
import pytest
import talib

from trading_platform.calc.indicator_seeds import SeedBlock, seed_row
from trading_platform.calc.pass_layout import BarFlag, empty_memory, first_slot
from trading_platform.calc.session_pass import SessionPass
from trading_platform.calc.volume_baseline import BaselineBlock, baseline_version
from trading_platform.errors import BlockFormatError, EngineError, MissingBlob, PlatformError
from trading_platform.market.sessions import load_session_table
from trading_platform.wire.blocks import decode_block, encode_block
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_record, scan_records
from trading_platform.wire.session_block import encode_hours
from trading_platform_tests.calc.feeding import AUCTION_DAY, CASH, DAY, NS, OTHER, SETTINGS, Feeding, Result, at, tick
from trading_platform_tests.calc.series import walk

OPEN = at("09:15:00")


def seeds(session: date, history: Sequence[np.ndarray] = walk(9, 300)) -> bytes:
    states = np.stack([np.stack([seed_row(*history)] * 2)])
    return SeedBlock(session, np.array([CASH], dtype=np.uint32), states, (date(2026, 7, 30),)).encode()


def baseline(session: date, volume: float = 10.0) -> bytes:
    expected = {1: np.full((1, 375), volume), 5: np.full((1, 75), 5 * volume)}
    return BaselineBlock(session, np.array([CASH], dtype=np.uint32), 555, expected, (date(2026, 7, 30),)).encode()


def minutes(
    feeding: Feeding, closes: Sequence[float], volumes: Sequence[int] | None = None, first: int = OPEN
) -> Feeding:
    """Feed one packet a minute, which is a bar whose prices are all its close."""
    day = 0
    for k, close in enumerate(closes):
        day += 10 if volumes is None else volumes[k]
        feeding.frame(first + 60 * k + 30, tick(CASH, close, day, first + 60 * k + 30))
    return feeding.closed(first + 60 * len(closes) + 400)


def test_records_must_follow_each_other() -> None:
    feeding = minutes(Feeding().opened(), [100.0] * 3)
    state = SessionPass(DAY, feeding.blob)
    state.feed(feeding.batch(0, 7))
    with pytest.raises(EngineError, match="record 9 follows 7"):
        state.feed(feeding.batch(8))
    inside = scan_records(b"".join([*feeding.records[:5], feeding.records[6]])).records
    with pytest.raises(EngineError, match="record 7 follows 5"):
        SessionPass(DAY, feeding.blob).feed(inside)
    with pytest.raises(EngineError, match="record 5 follows 7"):
        state.feed(feeding.batch(4, 5))


def test_a_tolerant_pass_counts_what_is_missing_and_flags_what_it_may_have_held() -> None:
    feeding = minutes(Feeding().opened(), [100.0] * 6)
    state = SessionPass(DAY, feeding.blob, tolerant=True)
    frames = len(Feeding().opened().records)
    del feeding.records[frames + 2]
    result = Result(state, [state.feed(feeding.batch())])
    assert result.counters["missing_records"] == 1
    assert result.of(CASH)["start"].tolist() == [OPEN + 60 * k for k in (0, 1, 3, 4, 5)]
    assert result.of(CASH)["flags"].tolist() == [0, BarFlag.GAP, BarFlag.GAP | BarFlag.AFTER_GAP, 0, 0]
    assert sum(result.of(CASH)["volume"]) == 60


def test_a_journal_begins_with_session_opened_and_holds_it_once() -> None:
    good = Feeding().opened()
    frame_first = Feeding()
    frame_first.frame(OPEN, tick(CASH, 1.0, 1, OPEN))
    with pytest.raises(EngineError, match="no control record"):
        frame_first.run()
    settings_first = Feeding()
    settings_first.control(ControlType.SETTINGS, OPEN * NS, orjson.dumps(SETTINGS))
    with pytest.raises(EngineError, match="begins with session_opened"):
        settings_first.run()
    good.control(ControlType.SESSION_OPENED, OPEN * NS, session=DAY.isoformat())
    with pytest.raises(EngineError, match="only once"):
        good.run()
    with pytest.raises(EngineError, match="not of 2026-08-05"):
        SessionPass(AUCTION_DAY, good.blob).feed(good.batch(0, 2))


@pytest.mark.parametrize("late", ["frame", "control"])
def test_nothing_follows_session_closed(late: str) -> None:
    feeding = Feeding().opened().closed(OPEN)
    if late == "frame":
        feeding.beat(OPEN + 1)
    else:
        feeding.closed(OPEN + 1)
    for cuts in ((), (len(feeding.records) - 1,)):
        with pytest.raises(EngineError, match="is over"):
            feeding.run(cuts)


def test_missing_content_is_named() -> None:
    feeding = Feeding().opened()
    feeding.blobs.clear()
    with pytest.raises(MissingBlob):
        feeding.run()


def opened_with(kind: ControlType, content: bytes) -> Feeding:
    """Return a session whose content of one kind is another."""
    feeding = Feeding()
    feeding.control(ControlType.SESSION_OPENED, at("08:55:00") * NS, session=DAY.isoformat())
    feeding.control(kind, at("08:55:00") * NS, content)
    return feeding


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (ControlType.SETTINGS, orjson.dumps({"spike_min_rvol": 2.0}), "another version"),
        (ControlType.SETTINGS, orjson.dumps({**SETTINGS, "breakout_bars": 61}), "1 to 60"),
        (ControlType.SETTINGS, orjson.dumps({**SETTINGS, "cooldown_bars": "six"}), "not a number"),
        (ControlType.SETTINGS, orjson.dumps({**SETTINGS, "pattern_intervals": [3]}), "pattern_intervals"),
        (ControlType.SETTINGS, b"[]", "not a dict"),
        (ControlType.SETTINGS, b"{", "cannot be read"),
        (ControlType.SESSION_TABLE, encode_hours(load_session_table(), AUCTION_DAY), "opening hours of 2026-08-05"),
        (ControlType.SESSION_TABLE, b"{}", "hours of a session"),
        (ControlType.SEEDS, seeds(AUCTION_DAY), "seeds of 2026-08-05"),
        (ControlType.BASELINE, baseline(AUCTION_DAY), "baseline of 2026-08-05"),
        (ControlType.BASELINE, seeds(DAY), "volume_baseline"),
        (ControlType.INSTRUMENTS, baseline(DAY), "instruments"),
    ],
)
def test_contents_of_another_session_or_version_are_refused_by_name(
    kind: ControlType, content: bytes, words: str
) -> None:
    with pytest.raises(PlatformError, match=words):
        opened_with(kind, content).run()


@pytest.mark.parametrize("tokens", [b"{}", b"[0]", b"[-1]", b"[4294967296]", b'["x"]', b"[1.5]", b"[true]", b"nothing"])
def test_a_list_that_is_none_of_tokens_is_refused(tokens: bytes) -> None:
    feeding = Feeding().opened()
    feeding.control(ControlType.SUBSCRIBED, OPEN * NS, tokens)
    with pytest.raises(EngineError):
        feeding.run()


def test_a_subscription_needs_what_bars_are_made_with() -> None:
    feeding = Feeding()
    feeding.control(ControlType.SESSION_OPENED, OPEN * NS, session=DAY.isoformat())
    feeding.subscribe([CASH], OPEN * NS)
    with pytest.raises(EngineError, match="instruments, session_table, settings"):
        feeding.run()
    feeding = Feeding().opened()
    feeding.control(ControlType.SUBSCRIBED, OPEN * NS)
    with pytest.raises(EngineError, match="list the tokens"):
        feeding.run()


@pytest.mark.parametrize("fields", [{}, {"from_ns": 5}, {"from_ns": 5, "until_ns": 4}, {"from_ns": "a", "until_ns": 4}])
def test_a_gap_without_its_times_is_refused(fields: dict[str, Any]) -> None:
    feeding = Feeding().opened()
    feeding.control(ControlType.GAP, OPEN * NS, **fields)
    with pytest.raises(EngineError, match="gap record"):
        feeding.run()


def test_indicators_go_on_from_their_seeds_and_equal_ta_lib_over_both() -> None:
    history = walk(9, 300)
    closes = np.round(np.linspace(400.0, 410.0, 40) / 0.05) * 0.05
    feeding = minutes(Feeding().opened((CASH,), contents=[(ControlType.SEEDS, seeds(DAY))]), closes.tolist())
    result = feeding.run()
    rows = result.indicators[result.indicators["interval"] == 1]
    together = [np.concatenate([line, closes]) for line in history]
    for name, oracle in (
        ("ema_20", talib.EMA(together[2], 20)),
        ("rsi_14", talib.RSI(together[2], 14)),
        ("atr_14", talib.ATR(*together, 14)),
    ):
        np.testing.assert_allclose(rows[name], oracle[300:], rtol=1e-9)


def test_seeds_that_come_after_the_subscription_count_too() -> None:
    before = minutes(Feeding().opened((CASH,), contents=[(ControlType.SEEDS, seeds(DAY))]), [400.0] * 3).run()
    after = Feeding().opened((CASH,))
    after.control(ControlType.SEEDS, at("09:00:00") * NS, seeds(DAY))
    late = minutes(after, [400.0] * 3).run()
    assert late.indicators["ema_20"].tolist() == before.indicators["ema_20"].tolist()
    assert not np.isnan(late.indicators["ema_20"]).any()


def test_relative_volume_is_the_bars_over_the_baselines() -> None:
    content = baseline(DAY, 20.0)
    result = minutes(Feeding().opened((CASH,), contents=[(ControlType.BASELINE, content)]), [100.0] * 5).run()
    one = result.indicators[result.indicators["interval"] == 1]
    five = result.indicators[result.indicators["interval"] == 5]
    assert one["rvol_bar"].tolist() == [0.5] * 5
    assert five["rvol_bar"].tolist() == [0.5]
    assert (one["expected_volume"][0], five["expected_volume"][0]) == (20.0, 100.0)
    assert set(result.indicators["baseline_version"].tolist()) == {baseline_version(content)}


def test_without_a_baseline_relative_volume_is_unknown() -> None:
    result = minutes(Feeding().opened((CASH,)), [100.0] * 5).run()
    assert np.isnan(result.indicators["rvol_bar"]).all()
    assert not len(result.signals)


def spikes(volumes: Sequence[int], closes: Sequence[float] | None = None, **settings: Any) -> Result:
    feeding = Feeding(settings={**SETTINGS, "pattern_intervals": [1], **settings})
    feeding.opened((CASH,), contents=[(ControlType.BASELINE, baseline(DAY, 10.0)), (ControlType.SEEDS, seeds(DAY))])
    return minutes(feeding, closes or [400.0] * len(volumes), volumes).run()


def test_a_pattern_waits_for_its_cooldown() -> None:
    result = spikes([10, *[50] * 9], cooldown_bars=3)
    assert ((result.signals["formed_at"] - OPEN) // 60).tolist() == [1, 5, 9]
    assert set(result.signals["pattern"].tolist()) == {1}


def test_a_cooldown_of_no_bars_never_waits() -> None:
    assert len(spikes([50] * 4, cooldown_bars=0).signals) == 4


@pytest.mark.parametrize(("back", "fired"), [(400.0, [7]), (395.0, [7, 15])])
def test_a_close_beyond_the_stop_ends_the_wait(back: float, fired: list[int]) -> None:
    # quiet closes, a break over 400, back to the level or through the stop, a break again within the cooldown
    closes = [400.0] * 7 + [420.0] + [back] * 7 + [421.0, 422.0]
    result = spikes([10] * len(closes), closes, cooldown_bars=60, breakout_bars=3)
    ups = result.signals[(result.signals["pattern"] == 2) & (result.signals["direction"] == 1)]
    assert ((ups["formed_at"] - OPEN) // 60).tolist() == fired


def test_a_signal_says_when_it_could_be_known() -> None:
    result = spikes([10, 50])
    (signal,) = result.signals
    assert (int(signal["formed_at"]), int(signal["confirmed_at"])) == (OPEN + 60, OPEN + 120)
    assert int(signal["known_at_ns"]) >= (OPEN + 120) * NS
    assert (float(signal["entry_ref"]), int(signal["direction"]), int(signal["version"])) == (400.0, 0, 1)
    assert int(signal["horizon_seconds"]) == 3600
    assert np.isnan(signal["stop"])
    assert np.isnan(signal["feature_2"])


def test_the_horizon_ends_with_continuous_trading() -> None:
    feeding = Feeding(settings={**SETTINGS, "pattern_intervals": [1]})
    feeding.opened((CASH,), contents=[(ControlType.BASELINE, baseline(DAY, 1.0))])
    (signal,) = minutes(feeding, [400.0], [50], first=at("15:20:00")).run().signals
    assert int(signal["horizon_seconds"]) == 9 * 60


def test_patterns_run_where_the_settings_say() -> None:
    assert len(spikes([50] * 5, pattern_intervals=[]).signals) == 0
    assert set(spikes([50] * 5, pattern_intervals=[5]).signals["interval"].tolist()) == {5}


def test_rows_are_entries_numbered_by_their_record() -> None:
    result = spikes([50] * 12)
    for family in ("bars", "indicators", "signals", "features"):
        named = [(entry.record, entry.part) for entry in result.entries[family]]
        assert named == sorted(set(named))
    assert result.state.rows["bars"] == len(result.bars)
    assert result.state.entries["signals"] == len(result.signals)


def test_latest_rows_are_drained_once() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN, tick(CASH, 100.0, 1, OPEN), tick(OTHER, 5.0, 1, OPEN), tick(CASH, 101.0, 2, OPEN))
    result = feeding.run()
    rows = result.state.drain_latest()
    assert rows["token"].tolist() == [CASH, OTHER]
    assert rows["last_price"].tolist() == [101.0, 5.0]
    assert not len(result.state.drain_latest())


def test_a_frame_larger_than_any_before_gets_room() -> None:
    feeding = Feeding().opened()
    packets = [tick(CASH, 100.0 + k % 7, k, OPEN + 1) for k in range(1, 1001)]
    feeding.frame(OPEN + 1, *packets)
    result = feeding.closed(OPEN + 100).run()
    assert (result.of(CASH)["ticks"].tolist(), result.of(CASH)["volume"].tolist()) == ([1000], [1000.0])


def state_of(result: Result, **changes: Any) -> bytes:
    block = decode_block(result.state.save(), "engine_state", 5)
    meta = {name: value for name, value in {**block.meta, **changes}.items() if value is not None}
    return encode_block("engine_state", 5, meta, block.arrays)


def test_a_state_of_another_version_is_refused() -> None:
    feeding = minutes(Feeding().opened(), [100.0] * 3)
    result = feeding.run()
    assert SessionPass.is_closed(result.state.save())
    assert SessionPass.restore(state_of(result), feeding.blob).digest() == result.state.digest()
    for changes in ({"position": None}, {"digests": {}}, {"contents": []}, {"session": "today"}, {"unplaced": 5}):
        with pytest.raises(BlockFormatError):
            SessionPass.restore(state_of(result, **changes), feeding.blob)
    block = decode_block(result.state.save(), "engine_state", 5)
    for arrays in (
        {**block.arrays, "state": block.arrays["state"][:, :-1]},
        {**block.arrays, "counters": block.arrays["counters"][:-1]},
        {name: array for name, array in block.arrays.items() if name != "dirty"},
    ):
        with pytest.raises(BlockFormatError, match="another version"):
            SessionPass.restore(encode_block("engine_state", 5, block.meta, arrays), feeding.blob)


def test_a_kind_that_is_not_known_moves_time_all_the_same() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 1, tick(CASH, 100.0, 1, OPEN + 1))
    feeding.records.append(encode_record(len(feeding.records) + 1, (OPEN + 90) * NS, 200, b""))
    result = feeding.run()
    assert (len(result.of(CASH)), result.counters["unknown_kind"]) == (1, 1)


def test_external_signals_and_values_of_other_shards_change_nothing_yet() -> None:
    feeding = Feeding().opened()
    feeding.control(ControlType.EXTERNAL_SIGNAL, OPEN * NS, name="x")
    feeding.control(ControlType.SHARD_VALUE, OPEN * NS, b"anything", name="y")
    assert feeding.run().counters["records"] == len(feeding.records)


def test_every_token_is_found_again() -> None:
    tokens = (np.arange(30_000, 39_000, dtype=np.uint32) * 256 + 2).astype(np.uint32)
    memory = empty_memory(tokens, 1)
    placed = {int(k): int(r) for k, r in zip(memory.token_keys, memory.token_rows, strict=True) if k}
    assert placed == {int(token): row for row, token in enumerate(tokens)}
    size = len(memory.token_keys)
    homes = {int(first_slot(int(token), size)) for token in tokens}
    # options of one exchange differ in the middle bits only, and must not crowd together
    assert len(homes) > 0.6 * len(tokens)


def test_a_subscription_keeps_what_the_socket_had_and_takes_from_others() -> None:
    feeding = Feeding().opened((CASH,))
    feeding.subscribe((OTHER,), OPEN * NS)
    feeding.subscribe((CASH,), OPEN * NS, socket=1)
    contents = feeding.run().state._setup.contents
    assert contents.sockets == {0: [OTHER], 1: [CASH]}
    assert dataclasses.asdict(type(contents).from_meta(contents.as_meta())) == dataclasses.asdict(contents)
    assert RecordKind.CONTROL == 3
