"""The pages that are made from the code say what the code says now, and name all of it."""

import pytest

from trading_platform.definitions import defs
from trading_platform.wire import redis_keys
from trading_platform_tests.command_tree import commands
from trading_platform_tests.pages.made import DOCS, made_pages

PAGES = made_pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_made_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name], f"docs/{name} is stale: run `make pages`"


def test_every_command_asset_job_and_key_is_on_its_page() -> None:
    repository = defs.get_repository_def()
    assert [one for one in commands() if f"## {one}\n" not in PAGES["commands.md"]] == []
    keys = [key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()]
    assert [one for one in keys if f"### {one}\n" not in PAGES["assets.md"]] == []
    jobs = [one.name for one in repository.get_all_jobs() if not one.name.startswith("__")]
    assert [one for one in jobs if f"| `{one}` |" not in PAGES["assets.md"]] == []
    families = ("frames", "position", "latest", "features", "bars", "signals", "blob", "baseline", "seeds")
    assert [one for one in families if f"{redis_keys.PREFIX}:k1}}:{one}" not in PAGES["keys.md"]] == []
