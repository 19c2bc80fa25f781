"""Which columns of other assets the columns of a table are computed from; only what is certain is named."""

from collections.abc import Mapping

Sources = tuple[tuple[str, str], ...]


def _same(asset: str, *columns: str) -> dict[str, Sources]:
    """Return columns that are carried over under their own name."""
    return {column: ((asset, column),) for column in columns}


def _from(asset: str, *columns: str) -> Sources:
    return tuple((asset, column) for column in columns)


_CLOSE, _RANGE = _from("minute_bars", "close"), _from("minute_bars", "high", "low", "close")
_TRADED = (*_from("ticks", "last_price", "day_volume"), *_from("minute_bars", "high", "low", "volume"))
_STATE = _from("indicator_seeds", "state")

COLUMN_SOURCES: Mapping[str, Mapping[str, Sources]] = {
    "subscription_universe": {
        **_same("instruments", "token", "symbol", "exchange", "segment"),
        "reason": _from("instruments", "segment", "instrument_type", "name", "expiry", "strike"),
    },
    "historical_bars": _same("instruments", "token", "symbol", "segment"),
    "minute_bars": {
        # of a session that was recorded they come from the journal, which has no columns
        **_same("historical_bars", "open", "high", "low", "close", "volume"),
        **_same("instruments", "token"),
        "segment": _from("instruments", "token"),
    },
    "volume_baselines": {
        **_same("instruments", "token", "symbol"),
        "bucket_start": _from("minute_bars", "start"),
        **dict.fromkeys(
            ("expected_median", "expected_mean", "q10", "q25", "q75", "q90", "model", "reason"),
            _from("minute_bars", "start", "volume"),
        ),
        "sessions_used": _from("minute_bars", "volume"),
    },
    "volume_profiles": {
        **_same("minute_bars", "token", "symbol", "segment"),
        "tick_size": _from("instruments", "tick_size"),
        # of a session with ticks; else the bars alone
        **dict.fromkeys(("volume", "auction_volume", "histogram", "poc", "val", "vah"), _TRADED),
        **dict.fromkeys(("ib_high", "ib_low", "high", "low"), (*_from("ticks", "last_price"), *_RANGE)),
        **dict.fromkeys(("row_ticks", "day_atr"), _RANGE),
    },
    "straddle_volumes": {
        "exchange": _from("instruments", "exchange"),
        "underlying": _from("instruments", "name"),
        "expiry": _from("instruments", "expiry"),
        "start": _from("minute_bars", "start"),
        "underlying_straddle_volume": _from("minute_bars", "volume"),
    },
    "indicator_seeds": {
        **_same("instruments", "token", "symbol"),
        "bars_used": _from("minute_bars", "start"),
        "ema_20": _CLOSE,
        "rsi_14": _CLOSE,
        "atr_14": _RANGE,
        "state": _RANGE,
    },
    "indicator_snapshots": {
        **_same("minute_bars", "token", "symbol", "start", "revision"),
        "ema_20": (*_CLOSE, *_STATE),
        "rsi_14": (*_CLOSE, *_STATE),
        "atr_14": (*_RANGE, *_STATE),
        "rvol_bar": (*_from("minute_bars", "volume"), *_from("volume_baselines", "expected_median")),
        "expected_volume": _from("volume_baselines", "expected_median"),
        **_same("volume_baselines", "baseline_version"),
    },
    "patterns": {
        **_same("indicator_snapshots", "token", "symbol", "interval", "baseline_version"),
        "formed_at": _from("indicator_snapshots", "start"),
    },
}
