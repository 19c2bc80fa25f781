"""The pass against the naive bars on sessions that hypothesis makes up; volume, order and cuts as properties."""

import math
from typing import Any

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_platform.batch.bars import longer_bars
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.kite_layout import Mode
from trading_platform_tests.calc.feeding import CASH, NS, OTHER, Feeding, Result, at, tick
from trading_platform_tests.calc.naive_bars import NaiveSession

TOKENS = [CASH, OTHER]
PHASES = [
    (1, at("09:00:00"), at("09:15:00")),
    (0, at("09:15:00"), at("15:30:00")),
    (3, at("15:40:00"), at("16:00:00")),
]
MIDNIGHT = at("00:00:00")
STARTS = {"open": at("09:13:30"), "before": at("08:57:00"), "middle": at("11:02:10"), "end": at("15:28:00")}

QUICK = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
Event = tuple[Any, ...]


@st.composite
def events(draw: st.DrawFn, start: int) -> list[Event]:
    """Make packets of two instruments, each in truth a growing day's volume, told with every kind of fault."""
    found: list[Event] = []
    now = float(start)
    volumes = dict.fromkeys(TOKENS, draw(st.sampled_from([0, 100])))
    steps = st.tuples(
        st.sampled_from(["frame"] * 12 + ["beat", "away", "back", "gap"]),
        st.sampled_from([0.25, 0.5, 1.0, 1.0, 2.0, 7.0, 25.0, 61.0, 400.0]),
    )
    for kind, wait in draw(st.lists(steps, min_size=1, max_size=40)):
        now += wait
        if kind != "frame":
            # what is told late: bars that are closed by then have to be flagged all the same
            since = draw(st.sampled_from([0.0, 0.5, 3.5, 20.0, 70.0, 100.0]))
            until = draw(st.sampled_from([0.0, 0.25, 10.0, 65.0]))
            told = {"away": (now - since,), "gap": (now - max(since, until), now - until)}
            found.append((kind, now, *told.get(kind, ())))
            continue
        packets = []
        for _ in range(draw(st.integers(1, 3))):
            token = draw(st.sampled_from([*TOKENS, CASH, CASH, 99]))
            volumes[token] = volumes.get(token, 0) + draw(st.sampled_from([0, 0, 1, 30, 500]))
            told = max(0, volumes[token] - draw(st.sampled_from([0, 0, 0, 0, 20, 600])))
            back = draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3, 20, 45, 70, 200, -30, -4000, 90_000, None]))
            price = draw(st.sampled_from([100.0, 100.05, 99.5, 101.0, 0.0]))
            packets.append((token, price, told, None if back is None else int(now) - back))
            if back is None and draw(st.booleans()):
                packets[-1] = (token, price, None, None)
        found.append(("frame", now, packets))
    return found


def packet_row(token: int, price: float, volume: int | None, stamp: int | None) -> Any:
    if volume is None:
        return tick(token, price, mode=Mode.LTP)
    return tick(token, price, volume, stamp, Mode.QUOTE if stamp is None else Mode.FULL)


def feeding_of(found: list[Event], opened: str, *, closed: bool = True) -> Feeding:
    feeding = Feeding().opened(TOKENS, opened)
    for kind, now, *rest in found:
        if kind == "beat":
            feeding.beat(now)
        elif kind == "frame":
            feeding.frame(now, *(packet_row(*packet) for packet in rest[0]))
        elif kind == "away":
            feeding.control(ControlType.DISCONNECTED, int(now * NS), last_ns=int(rest[0] * NS))
        elif kind == "gap":
            times = {"from_ns": int(rest[0] * NS), "until_ns": int(rest[1] * NS)}
            feeding.control(ControlType.GAP, int(now * NS), **times)
        else:
            feeding.subscribe(TOKENS, int(now * NS))
    return feeding.closed(found[-1][1]) if closed else feeding


def naive(found: list[Event], from_zero: bool) -> NaiveSession:
    session = NaiveSession(TOKENS, PHASES, MIDNIGHT, from_zero)
    for event in found:
        session.feed(event)
    session.finish()
    return session


def rows_of(result: Result) -> list[tuple[Any, ...]]:
    names = [
        "token",
        "interval",
        "start",
        "kind",
        "revision",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "ticks",
        "flags",
    ]
    return [
        tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)
        for row in result.bars[names].tolist()
    ]


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[Event], str, bool]:
    name = draw(st.sampled_from(sorted(STARTS)))
    opened = {"open": "09:10:00", "before": "08:55:00", "middle": "11:02:00", "end": "15:20:00"}[name]
    return draw(events(STARTS[name])), opened, name in {"open", "before"}


@QUICK
@given(sessions())
def test_bars_and_counts_are_those_of_the_naive_reader(made: tuple[list[Event], str, bool]) -> None:
    found, opened, from_zero = made
    result = feeding_of(found, opened).run()
    expected = naive(found, from_zero)
    assert rows_of(result) == expected.rows
    assert {name: result.counters[name] for name in expected.counts} == expected.counts


@QUICK
@given(sessions())
def test_every_share_of_the_day_has_one_place(made: tuple[list[Event], str, bool]) -> None:
    found, opened, _ = made
    only_cash = [(*e[:2], [p for p in e[2] if p[0] == CASH]) if e[0] == "frame" else e for e in found]
    kept = [e for e in only_cash if e[0] != "frame" or e[2]] or [("beat", found[-1][1])]
    result = feeding_of(kept, opened).run()
    in_bars = sum(float(np.nan_to_num(bar["volume"])) for bar in result.last(CASH).values())
    elsewhere = sum(result.counters[name] for name in ("late_volume", "outside_volume", "snapshot_volume"))
    row = result.state.memory.state[0]
    from trading_platform.calc.pass_layout import DAY_VOLUME  # noqa: PLC0415

    assert in_bars + elsewhere == row[DAY_VOLUME]


@QUICK
@given(sessions(), st.data())
def test_cuts_and_restarts_change_nothing(made: tuple[list[Event], str, bool], data: st.DataObject) -> None:
    found, opened, _ = made
    feeding = feeding_of(found, opened)
    whole = feeding.run()
    cuts = data.draw(st.lists(st.integers(1, len(feeding.records) - 1), max_size=4, unique=True))
    for between in (None, feeding.restored):
        parts = feeding.run(cuts, between)
        assert parts.state.digests == whole.state.digests
        assert parts.entries == whole.entries
        assert parts.counters == whole.counters
        assert parts.state.save() == whole.state.save()


@QUICK
@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_arrival_shuffled_inside_the_watermark_gives_the_same_bars(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    # a volume of its own makes the order of packets of one second known
    moments = np.sort(random.integers(0, 400, count))
    packets = [
        (int(second), (CASH, float(random.integers(9900, 10100)) / 100, 10 * k, at("09:15:00") + int(second)))
        for k, second in enumerate(moments, 1)
    ]
    shuffled = sorted(packets, key=lambda packet: packet[0] + random.uniform(0.0, 1.9))
    runs = []
    for order in (packets, shuffled):
        found, newest = [], 0
        for second, packet in order:
            newest = max(newest, second)
            found.append(("frame", at("09:15:00") + newest + 0.1, [packet]))
        runs.append(feeding_of(found, "09:10:00").run())
    names = [
        "token",
        "interval",
        "start",
        "kind",
        "revision",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "ticks",
        "flags",
    ]
    assert runs[0].bars[names].tolist() == runs[1].bars[names].tolist()
    assert runs[1].counters["late"] == runs[1].counters["revisions"] == 0


@QUICK
@given(sessions())
def test_five_minutes_are_the_fold_of_their_minutes(made: tuple[list[Event], str, bool]) -> None:
    result = feeding_of(*made[:2]).run()
    minutes = [bar for token in TOKENS for bar in result.last(token).values() if bar["kind"] == 0]
    frame = pl.DataFrame(
        [
            (
                int(b["token"]),
                int(b["kind"]),
                int(b["start"]),
                *(float(b[n]) for n in ["open", "high", "low", "close", "volume"]),
            )
            for b in minutes
        ],
        schema=["token", "kind", "start", "open", "high", "low", "close", "volume"],
        orient="row",
        schema_overrides={
            "token": pl.Int64,
            "kind": pl.Int64,
            "start": pl.Int64,
            **dict.fromkeys(["open", "high", "low", "close", "volume"], pl.Float64),
        },
    ).with_columns(pl.from_epoch("start", "s").dt.replace_time_zone("UTC"), pl.col("volume").fill_nan(None))
    folded = longer_bars(frame, 5).with_columns(pl.col("start").dt.epoch("s"))
    expected = {
        tuple(row[:2]): row[2:]
        for row in folded.select("token", "start", "open", "high", "low", "close", "volume").iter_rows()
    }
    mine = {
        (token, start): tuple(
            None if math.isnan(bar[n]) else float(bar[n]) for n in ["open", "high", "low", "close", "volume"]
        )
        for token in TOKENS
        for start, bar in result.last(token, 5).items()
    }
    assert mine == expected


def test_buffers_that_are_full_after_each_record_give_the_same_rows() -> None:
    random = np.random.default_rng(5)
    found: list[Event] = []
    for second in range(700):
        packets = [
            (token, float(random.integers(9900, 10100)) / 100, second * 10, at("09:15:00") + second) for token in TOKENS
        ]
        found.append(("frame", at("09:15:00") + second + 0.2, packets))
    feeding = feeding_of(found, "09:10:00")
    whole = feeding.run()
    one_by_one = feeding.run(range(1, len(feeding.records)))
    tiny = tiny_buffers(feeding)
    assert whole.state.digests == one_by_one.state.digests == tiny.state.digests
    assert whole.entries == tiny.entries
    assert len(whole.bars) == 2 * (12 + 3)


def tiny_buffers(feeding: Feeding) -> Result:
    """Run with room for what one record can produce at most, so that nearly every record fills the buffers."""
    from trading_platform.calc import session_pass  # noqa: PLC0415
    from trading_platform.calc.pass_layout import PATTERN_COUNT, empty_outputs, worst_bars  # noqa: PLC0415

    def tight(instruments: int, ticks: int, damage: int) -> Any:
        roomy = empty_outputs(instruments, ticks, damage)
        bars = worst_bars(instruments, 70)
        return roomy._replace(
            bars=roomy.bars[:bars],
            indicators=roomy.indicators[:bars],
            signals=roomy.signals[: bars * PATTERN_COUNT],
            features=roomy.features[: instruments + 1],
            pulses=roomy.pulses[:2],
        )

    kept = session_pass.empty_outputs
    session_pass.empty_outputs = tight
    try:
        return feeding.run()
    finally:
        session_pass.empty_outputs = kept
