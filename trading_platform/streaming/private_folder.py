"""Folders for this user only: what is kept in them may be paid for, or secret."""

from pathlib import Path


def make_private_folder(path: Path) -> None:
    """Create a folder, and those above it that are missing, for this user only."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
