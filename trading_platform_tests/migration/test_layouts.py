"""The tables of both layouts against keys as the legacy system wrote them."""

from pathlib import Path

import pytest

from trading_platform.errors import MigrationRefused
from trading_platform.migration.layouts import LAYOUTS, layout_named
from trading_platform.migration.rules import TYPES, Action
from trading_platform_tests.migration.legacy_databases import VIX_SPELLINGS, legacy_keys

WITH_A_RULE = (None, "SAME_TARGET", "NO_INSTRUMENT", "UNDECODABLE", "WRONG_TYPE", "TOO_LARGE", "LEFT")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_key_of_the_generator_has_one_rule_or_none(layout: object) -> None:
    assert layout is layout_named(layout.name.lower())  # type: ignore[attr-defined]
    for made in legacy_keys(layout.name.lower(), 1, large=5):  # type: ignore[attr-defined]
        if isinstance(made.key, bytes):
            continue
        found = layout.rules_for(made.database, made.key)  # type: ignore[attr-defined]
        assert len(found) == (made.reason in WITH_A_RULE), made.key


def test_all_spellings_of_the_vix_are_one_family() -> None:
    for layout in LAYOUTS.values():
        found = {layout.rules_for(1, key)[0][0].family for key in VIX_SPELLINGS}
        assert found == {"vix_index", "vix_index_hash", "vix_market_data"}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_baselines_and_states_are_decoded_and_the_rest_keeps_its_value(layout: object) -> None:
    decoded = {rule.family for rule in layout.rules if rule.action is Action.CONVERT}  # type: ignore[attr-defined]
    assert {name.removesuffix("_db2") for name in decoded} == {
        "volume_state",
        "vol_state",
        "volume_averages",
        "baseline",
        "volume_baseline",
        "volume_baseline_1min",
        "vol_baseline",
        "ohlc_stats",
        "vix_index",
        "vix_index_hash",
        "vix_market_data",
    }


def test_only_the_last_layout_has_users_and_session_volume() -> None:
    l3, l4 = LAYOUTS["L3"], LAYOUTS["L4"]
    assert set(l3.databases) == {1, 2}
    assert set(l4.databases) == {0, 1, 2}
    assert l3.rules_for(1, "vol:session:NSE:INFY:2025-12-01") == []
    assert len(l4.rules_for(1, "vol:session:NSE:INFY:2025-12-01")) == 1


def test_a_layout_without_rules_is_refused() -> None:
    with pytest.raises(MigrationRefused, match="'L1'; known are L3, L4"):
        layout_named("L1")


def test_every_rule_stands_in_the_docs_and_no_other() -> None:
    document = (Path(__file__).resolve().parents[2] / "docs" / "migrate.md").read_text()
    told = {}
    for line in document.partition("## Rules")[2].splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            for place in cells[1].split(", "):
                told[place, cells[4]] = cells
    rules = {
        (f"{layout.name} {database}", rule.family): rule
        for layout in LAYOUTS.values()
        for database, found in layout.databases.items()
        for rule in found
    }
    assert told.keys() == rules.keys()
    for place, rule in rules.items():
        pattern, _, types, action, _, lifetime = told[place]
        assert (pattern, action, lifetime) == (rule.pattern.text, str(rule.action), rule.lifetime)
        assert types == ("any" if set(rule.types) == set(TYPES) else ", ".join(rule.types))
