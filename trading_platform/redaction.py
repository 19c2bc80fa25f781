"""What of a secret must not be shown: the whole of it, and of a URL what is secret by itself."""

import re
from urllib.parse import unquote

_LEAST_SECRET_PATH = 12
"""Characters of a URL's path from which it may be a token; the number of a database is shorter."""


def secret_parts(secret: str) -> list[str]:
    """Return a secret, and what of a URL is secret by itself: its password as written and as meant, its path."""
    found = re.fullmatch(r"[a-z0-9+.]+://(?:[^/?#]*?:([^/?#]*)@)?[^/?#]*(.*)", secret)
    password, path = (found[1] or "", found[2]) if found else ("", "")
    parts = [secret, password, unquote(password), path if len(path) >= _LEAST_SECRET_PATH else ""]
    return [part for part in parts if part]
