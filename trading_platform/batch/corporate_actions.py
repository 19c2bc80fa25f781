"""Corporate actions that a user keeps in a file of their own, instead of those that are shipped."""

from pathlib import Path

from trading_platform.errors import BadFileError
from trading_platform.market.corporate_actions import CorporateActions, corporate_actions_from


def read_corporate_actions(path: Path) -> CorporateActions:
    """Read a table of the user's; raise BadFileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFileError(f"{path} cannot be read as corporate actions: {error}") from error
    return corporate_actions_from(text, str(path))
