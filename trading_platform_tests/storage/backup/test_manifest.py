"""A manifest is hostile until its digest and every path in it are checked."""

from datetime import datetime
from pathlib import Path

import orjson
import pytest
from pydantic import ValidationError

from trading_platform.errors import BackupDamaged, BackupError, HalfBackup
from trading_platform.market.clock import IST
from trading_platform.storage.backup.manifest import MANIFEST, Manifest, StoredFile, encode_manifest, read_manifest

SHA = "ab" * 32


def manifest(**changed: object) -> Manifest:
    file = StoredFile(path="dumps/a", stored="dumps/a.zst", bytes=2, sha256=SHA, stored_bytes=3, stored_sha256=SHA)
    said = {
        "format": 1, "name": "x", "made_at": datetime(2026, 8, 20, tzinfo=IST), "platform": "0", "files": (file,),
        "journals": (), "tables": (), "redis": None, "dagster_databases": 0, "not_included": (), "notes": (),
        "faults": (),
    }  # fmt: skip
    return Manifest.model_validate({**said, **changed})


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(encode_manifest(manifest()))
    assert read_manifest(tmp_path) == manifest()


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", "", ".", "a//b", "a/./b", "nul\0"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        StoredFile(path=path, stored="a", bytes=0, sha256=SHA, stored_bytes=0, stored_sha256=SHA)
    with pytest.raises(ValidationError):
        StoredFile(path="a", stored=path, bytes=0, sha256=SHA, stored_bytes=0, stored_sha256=SHA)


def test_any_change_of_a_value_is_seen(tmp_path: Path) -> None:
    said = orjson.loads(encode_manifest(manifest()))
    said["files"][0]["bytes"] = 4
    (tmp_path / MANIFEST).write_bytes(orjson.dumps(said))
    with pytest.raises(BackupDamaged, match="digest"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff\x00", b'{"format": "x"}'])
def test_what_is_no_manifest_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(BackupDamaged, match="use another backup"):
        read_manifest(tmp_path)


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(encode_manifest(manifest(format=2)))
    with pytest.raises(BackupError, match="format 2"):
        read_manifest(tmp_path)


def test_a_folder_without_one_is_half_a_backup(tmp_path: Path) -> None:
    with pytest.raises(HalfBackup, match="half a backup"):
        read_manifest(tmp_path)
    with pytest.raises(BackupError, match="is no folder"):
        read_manifest(tmp_path / "none")
