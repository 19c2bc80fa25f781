import pytest

from trading_platform.errors import AmbiguousRules
from trading_platform.migration.rules import Action, Conversion, Layout, convert, leave, rename, suffixed


def test_two_rules_for_one_key_are_refused() -> None:
    with pytest.raises(AmbiguousRules, match=r"L9, database 1.*'a:\{symbol\}'.*'a:\{id\}'"):
        Layout("L9", {1: (rename("one", "a:{symbol}"), rename("other", "a:{id}"))})


def test_the_same_shape_in_two_databases_is_fine_under_two_names() -> None:
    rules = (rename("one", "a:{symbol}"),)
    layout = Layout("L9", {1: rules, 2: suffixed(rules, "db2")})
    assert [rule.family for rule in layout.rules] == ["one", "one_db2"]
    with pytest.raises(AmbiguousRules, match="one"):
        Layout("L9", {1: rules, 2: rules})


def test_a_rule_is_found_by_database_and_key() -> None:
    layout = Layout("L9", {1: (rename("one", "a:{symbol}"), leave("other", "b:{rest}", "why"))})
    assert [(rule.family, fields) for rule, fields in layout.rules_for(1, "a:NSE:INFY")] == [("one", ("NSE:INFY",))]
    assert layout.rules_for(2, "a:NSE:INFY") == []
    assert layout.rules_for(1, "c:NSE:INFY") == []
    assert layout.by_family["other"].action is Action.LEAVE


def test_a_change_of_any_rule_changes_the_fingerprint() -> None:
    kept = convert("one", "a:{symbol}", Conversion.NUMBERS, lifetime_seconds=None, why="x")
    gone = convert("one", "a:{symbol}", Conversion.NUMBERS, lifetime_seconds=60, why="x")
    prints = {Layout("L9", {1: (rule,)}).fingerprint for rule in (kept, gone, rename("one", "a:{symbol}"))}
    assert len(prints) == 3
    assert Layout("L9", {1: (kept,)}).fingerprint in prints
