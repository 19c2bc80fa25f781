from datetime import date
from pathlib import Path

import pytest

from trading_platform.cli.simulate_inputs import Trade, make_offer
from trading_platform.errors import NoSessionError, SettingsError

FILE = """symbol,ts,open,high,low,close,volume
A,2016-08-16 09:15:00,10,12,9,11,100
A,2016-08-16 09:16:00,11,11,11,11,0
A,2016-08-17 09:15:00,12,12,12,12,5
"""


def test_a_synthetic_session_is_offered_with_its_past() -> None:
    offer = make_offer(Trade(session=date(2026, 7, 31), names=2, past=2, minutes=5, plants=("spike,SYN001,09:16,9",)))
    assert offer.day.session == date(2026, 7, 31)
    assert [str(one) for one in offer.past] == ["2026-07-29", "2026-07-30"]
    assert set((offer.bars.start - offer.bars.start.min()).tolist()) == {0, 60, 120, 180, 240}
    assert set(offer.dumps) == {"", "NFO", "NSE"}
    assert offer.dumps[""].count(b"\n") == len(offer.day) + 1
    assert offer.planted[0]["symbol"] == "SYN001"
    assert offer.load_past is not None
    past = offer.load_past(date(2026, 7, 30))
    assert past.day.session == date(2026, 7, 30)
    assert past.bars.start.max() < offer.yesterday_second + 900
    assert offer.opens == int(offer.bars.start.min())


def test_bars_of_a_file_are_offered_by_date(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(FILE)
    first = make_offer(Trade(bars=file))
    assert (first.day.session, first.bars.close.tolist()) == (date(2016, 8, 16), [11.0, 11.0])
    later = make_offer(Trade(bars=file, session=date(2016, 8, 17)))
    assert later.bars.close.tolist() == [12.0]
    assert later.bars.previous_close.tolist() == [11.0]
    assert list(later.past) == []
    with pytest.raises(NoSessionError, match="2016-08-16"):
        make_offer(Trade(bars=file, session=date(2016, 8, 18)))


def test_an_event_that_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="--plant"):
        make_offer(Trade(names=1, plants=("spike,NOBODY,10:00,2",)))
