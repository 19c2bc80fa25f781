"""Resources are made from the settings; what needs the outside is asked for late and refused by name."""

from datetime import date
from pathlib import Path

import pytest

from trading_platform.errors import JournalError, MissingInput
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import Clock
from trading_platform.orchestration.resources import JournalsResource, KiteResource, LakeResource, platform_resources
from trading_platform.settings import Settings

SESSION = date(2026, 7, 30)
DUMP = (
    b"instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    b"instrument_type,segment,exchange\n408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"
)


def test_resources_follow_the_settings(tmp_path: Path) -> None:
    made = platform_resources(Settings(data_dir=tmp_path, shard="k9"))
    assert set(made) == {"lake", "redis_manager", "kite", "journals", "calculation"}
    lake, journals = made["lake"], made["journals"]
    assert isinstance(lake, LakeResource)
    assert isinstance(journals, JournalsResource)
    assert (lake.root, journals.shard) == (str(tmp_path / "lake"), "k9")
    assert lake.open().sessions("patterns") == []


def test_journals_of_a_shard(tmp_path: Path) -> None:
    (tmp_path / "k1" / "20260730").mkdir(parents=True)
    (tmp_path / "k2" / "20260731").mkdir(parents=True)
    assert JournalsResource(root=str(tmp_path), shard="k1").sessions() == [SESSION]


def test_a_replay_that_fails_says_what_the_process_said(tmp_path: Path) -> None:
    journals = JournalsResource(root=str(tmp_path), shard="k1")
    with pytest.raises(JournalError, match="is not the folder of a session's journal"):
        journals.replay_in_fresh_process(SESSION, tmp_path)


def test_a_dump_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "instruments_20260730.csv").write_bytes(DUMP)
    dump, path = KiteResource(dumps_dir=str(tmp_path)).dump(SESSION)
    assert (dump.rows.height, path.name) == (1, "instruments_20260730.csv")


def test_no_credentials_and_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_KITE_API_KEY", "")
    with pytest.raises(MissingInput, match="TP_KITE_API_KEY"):
        KiteResource(dumps_dir=str(tmp_path)).dump(SESSION)


def test_todays_dump_is_fetched_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_KITE_API_KEY", "key")
    monkeypatch.setenv("TP_KITE_ACCESS_TOKEN", "token")
    asked: list[int] = []
    monkeypatch.setattr(KiteRest, "instruments_csv", lambda _: asked.append(1) or DUMP)
    kite, today = KiteResource(dumps_dir=str(tmp_path / "new")), Clock.wall().today()
    for _ in range(2):
        dump, path = kite.dump(today)
        assert dump.rows["tradingsymbol"].to_list() == ["INFY"]
        assert path.read_bytes() == DUMP
    assert asked == [1]
    assert [place.stat().st_mode & 0o777 for place in (path, path.parent)] == [0o600, 0o700]
    with pytest.raises(MissingInput):
        kite.dump(SESSION)
