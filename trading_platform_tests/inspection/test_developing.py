"""The profile that develops from the journal is at its end that of the session, and before it of what came so far."""

import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from trading_platform.batch.session_profiles import Day, Past, session_profiles
from trading_platform.batch.ticks import PacketCount, tick_pieces
from trading_platform.errors import BadQuestion
from trading_platform.inspection.developing import developing_so_far
from trading_platform.inspection.question import Question
from trading_platform.market.corporate_actions import load_corporate_actions
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.storage.journal import JournalWriter
from trading_platform.storage.lake import Lake
from trading_platform.storage.record_source import JournalRecords
from trading_platform.wire.lake_tables import VOLUME_PROFILES
from trading_platform_tests.inspection.made import Place
from trading_platform_tests.session_data import SESSION, SHARD, TOKENS, SessionData

SYMBOL, TOKEN = "NAME1", TOKENS[1]
SAME = ("volume", "poc", "val", "vah", "value_area_volume", "ib_high", "ib_low", "poc_shifts")


def of_the_session(place: Place) -> dict[str, object]:
    """Return the profile that the asset would make of the same ticks."""
    ticks = pl.concat(tick_pieces(JournalRecords(place.settings.journal_dir, SHARD, SESSION), SESSION, PacketCount()))
    bars = place.lake.read_sessions("minute_bars", [SESSION]).filter(pl.col("token") == TOKEN)
    days = {"symbol": pl.String, "segment": pl.String, "session": pl.Date, "high": pl.Float64, "low": pl.Float64}
    past = Past(pl.DataFrame(schema={**days, "close": pl.Float64}), VOLUME_PROFILES.schema.to_frame())
    day = Day(SESSION, load_session_table(), {TOKEN: 0.05}, load_corporate_actions())
    rows = session_profiles(bars, day, past, lambda tokens: ticks.filter(pl.col("token").is_in(list(tokens))))
    return rows.row(0, named=True)


def test_the_last_row_is_the_profile_of_the_session(place: Place) -> None:
    seen = developing_so_far(place.settings, Question(SYMBOL), lake=place.lake)
    whole, last = of_the_session(place), seen.rows.row(-1, named=True)
    assert (whole["method"], whole["reason"], seen.reason) == ("ticks", None, None)
    assert seen.row_size == whole["row_size"]
    assert {name: last[name] for name in SAME} == {name: whole[name] for name in SAME}
    assert seen.rows.height > 10


def test_a_journal_that_goes_on_has_the_profile_of_what_it_holds(place: Place, tmp_path: Path) -> None:
    half = SessionData(SESSION, place.data.items[: len(place.data.items) * 2 // 3])
    settings = Settings(data_dir=tmp_path, shard=SHARD, redis_url=None)
    with JournalWriter.open(tmp_path / "written", SHARD, SESSION) as writer:
        half.write_to(writer)
        shutil.copytree(tmp_path / "written", settings.journal_dir)
    seen = developing_so_far(settings, Question(SYMBOL, session=str(SESSION)), lake=Lake(settings.lake_dir))
    whole = developing_so_far(place.settings, Question(SYMBOL), lake=place.lake)
    over = seen.rows.head(-1)
    assert 5 < over.height < whole.rows.height
    assert seen.last_received is not None
    assert seen.last_received - seen.rows["end"][-1] < timedelta(minutes=1)
    same = ["end", "volume", "ib_high", "ib_low"]
    assert over.select(same).equals(whole.rows.head(over.height).select(same))


def test_an_index_has_none_and_an_unknown_name_is_refused(place: Place) -> None:
    index = next(one for one in TOKENS if one % 256 == 9)
    seen = developing_so_far(place.settings, Question(str(index)), lake=place.lake)
    assert (seen.reason, seen.rows.height) == ("an index has no volume", 0)
    with pytest.raises(BadQuestion, match="has no instrument 'NOBODY'"):
        developing_so_far(place.settings, Question("NOBODY"), lake=place.lake)
    with pytest.raises(BadQuestion, match="no journal of 2020-01-02"):
        developing_so_far(place.settings, Question(SYMBOL, session="2020-01-02"), lake=place.lake)
