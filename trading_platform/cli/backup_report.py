"""What the commands of backups say to people."""

from collections.abc import Sequence
from pathlib import Path

from trading_platform.market.clock import IST
from trading_platform.storage.backup.catalogue import Listed
from trading_platform.storage.backup.manifest import Manifest
from trading_platform.storage.backup.restore import Comparison

_MEGABYTE = 1_000_000


def made_text(folder: Path, manifest: Manifest) -> list[str]:
    """Say what a backup holds, what it does not, and what is wrong in it."""
    records = sum(one.records for one in manifest.journals)
    rows = sum(one.rows for one in manifest.tables)
    redis = f"{manifest.redis.keys:,} keys" if manifest.redis else "left out"
    moment = "of one moment" if manifest.redis and manifest.redis.point_in_time else "key by key"
    return [
        f"backup {folder}: {_size(manifest)}",
        f"  journals  {len(manifest.journals)} with {records:,} records",
        f"  lake      {len(manifest.tables)} tables with {rows:,} rows",
        f"  Redis     {redis}{f', {moment}' if manifest.redis else ''}",
        f"  Dagster   {manifest.dagster_databases} databases",
        *(f"  not in it: {one}" for one in manifest.not_included),
        *(f"  note: {one}" for one in manifest.notes),
        *(f"  FAULT: {one}" for one in manifest.faults),
    ]


def listing_text(listed: Sequence[Listed]) -> list[str]:
    """Say of each backup when it was made and how large it is, or why it is none."""
    if not listed:
        return ["there is no backup"]
    return [f"{one.folder.name:<32} {_about(one)}" for one in listed]


def comparison_text(compared: Sequence[Comparison]) -> list[str]:
    """Set what a backup says of each part beside what the restored place says."""
    rows = [("part", "backup", "restored", ""), *((c.part, c.backup, c.restored, _verdict(c)) for c in compared)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _verdict(one: Comparison) -> str:
    return "same" if one.same else "DIFFERS"


def _about(one: Listed) -> str:
    if one.manifest is None or one.trouble:
        return one.trouble or ""
    faults = f", {len(one.manifest.faults)} faults named in it" if one.manifest.faults else ""
    return f"{one.manifest.made_at.astimezone(IST):%Y-%m-%d %H:%M} IST  {_size(one.manifest)}{faults}"


def _size(manifest: Manifest) -> str:
    stored, whole = manifest.stored_bytes / _MEGABYTE, manifest.bytes / _MEGABYTE
    return f"{len(manifest.files):,} files, {stored:,.1f} MB stored of {whole:,.1f} MB"
