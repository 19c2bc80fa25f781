"""Which pages are made from the code."""

from pathlib import Path

from trading_platform_tests.pages.assets import assets_page
from trading_platform_tests.pages.commands import commands_page
from trading_platform_tests.pages.keys import keys_page

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def made_pages() -> dict[str, str]:
    """Return the text of every made page by its file name."""
    return {"commands.md": commands_page(), "assets.md": assets_page(), "keys.md": keys_page()}
