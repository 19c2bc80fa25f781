"""The straddle volume of an underlying reaches the lake, each exchange and expiry by itself."""

from datetime import date

import polars as pl

from trading_platform.wire.lake_tables import INSTRUMENTS
from trading_platform_tests.batch.lake_rows import instruments, minute_bars
from trading_platform_tests.orchestration.world import LAST, World

NEAR, FAR = date(2026, 8, 4), date(2026, 8, 25)
OPTIONS = {
    # symbol: exchange, expiry, strike, leg, volumes
    "A": ("NFO", NEAR, 24000.0, "CE", [1, 2]),
    "B": ("NFO", NEAR, 24000.0, "PE", [10, 20]),
    "C": ("NFO", NEAR, 24100.0, "CE", [None, 100]),
    "D": ("NFO", NEAR, 24100.0, "PE", [200, 300]),
    "E": ("NFO", NEAR, 24200.0, "PE", [7, 7]),
    "F": ("NFO", FAR, 24000.0, "CE", [1000, 1000]),
    "G": ("NFO", FAR, 24000.0, "PE", [1000, 1000]),
    "H": ("BFO", FAR, 24000.0, "CE", [3, 4]),
    "I": ("BFO", FAR, 24000.0, "PE", [30, 40]),
}


def test_totals_by_exchange_and_nearest_expiry(world: World) -> None:
    tokens = {name: (900 + place) * 256 + 2 for place, name in enumerate(OPTIONS)}
    listed = instruments(LAST, **tokens).rows(named=True)
    for row in listed:
        exchange, expiry, strike, leg, _ = OPTIONS[row["symbol"]]
        row |= {"name": "NIFTY", "exchange": exchange, "expiry": expiry, "strike": strike, "instrument_type": leg}
    world.lake.write_session("instruments", LAST, INSTRUMENTS.conform(pl.DataFrame(listed, schema=INSTRUMENTS.schema)))
    bars = [
        minute_bars(LAST, tokens[name], name, closes=[1.0, 1.0], volumes=list(volumes))
        for name, (*_, volumes) in OPTIONS.items()
    ]
    world.lake.write_session("minute_bars", LAST, pl.concat(bars))
    assert world.materialise("straddle_volumes", session=LAST).success
    rows = world.lake.read_sessions("straddle_volumes", [LAST]).sort("exchange", "start")
    assert rows.select("exchange", "underlying", "expiry", "underlying_straddle_volume").rows() == [
        ("BFO", "NIFTY", FAR, 33.0),
        ("BFO", "NIFTY", FAR, 77.0),
        ("NFO", "NIFTY", NEAR, 11.0),
        # from the second minute on both of 24100 have traded, and what its put had before counts with them
        ("NFO", "NIFTY", NEAR, 11.0 + 22.0 + 100.0 + 500.0),
    ]


def test_a_session_without_a_dump_or_options_has_no_rows(world: World) -> None:
    world.lake.write_session("minute_bars", LAST, minute_bars(LAST, 408065, "INFY", closes=[1.0], volumes=[5]))
    result = world.materialise("straddle_volumes", session=LAST)
    (event,) = result.asset_materializations_for_node("straddle_volumes")
    assert event.metadata["dagster/row_count"].value == 0
