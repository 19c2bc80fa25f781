"""Dumps are fetched on their day alone and kept; without credentials it is said what to set."""

from datetime import date
from pathlib import Path

import pytest

from trading_platform.errors import AccessRefused, BadFileError, MissingInput
from trading_platform.intake.kite_access import KiteAccess
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import Clock
from trading_platform.settings import IsolatedSettings

SESSION = date(2026, 7, 30)
DUMP = (
    b"instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    b"instrument_type,segment,exchange\n408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"
)
CREDENTIALS = {"kite_api_key": "key", "kite_access_token": "any"}


def access(folder: Path, **settings: object) -> KiteAccess:
    given = IsolatedSettings(data_dir=folder, **settings)
    return KiteAccess(folder / "dumps", folder / "pace", lambda: given)


def test_a_dump_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "instruments_20260730.csv").write_bytes(DUMP)
    dump, path = access(tmp_path).dump(SESSION)
    assert (dump.rows.height, path.name) == (1, "instruments_20260730.csv")


def test_no_credentials_and_no_file_is_named(tmp_path: Path) -> None:
    kite = access(tmp_path, kite_api_key="")
    assert not kite.can_ask()
    with pytest.raises(MissingInput, match="TP_KITE_API_KEY"):
        kite.dump(SESSION)
    with pytest.raises(AccessRefused, match="log in"):
        kite.candles()


def test_todays_dump_is_fetched_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(KiteRest, "instruments_csv", lambda _: asked.append(1) or DUMP)
    kite = access(tmp_path, **CREDENTIALS)
    today = Clock.wall().today()
    assert kite.today() == today
    for _ in range(2):
        dump, path = kite.dump(today)
        assert dump.rows["tradingsymbol"].to_list() == ["INFY"]
        assert path.read_bytes() == DUMP
    assert asked == [1]
    assert [place.stat().st_mode & 0o777 for place in (path, path.parent)] == [0o600, 0o700]
    with pytest.raises(MissingInput):
        kite.dump(SESSION)


@pytest.mark.parametrize("content", [b"<html>", DUMP.splitlines(keepends=True)[0]])
def test_what_is_no_dump_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(KiteRest, "instruments_csv", lambda _: content)
    kite = access(tmp_path, **CREDENTIALS)
    with pytest.raises(BadFileError):
        kite.dump(kite.today())
    assert not (tmp_path / "dumps").exists()
