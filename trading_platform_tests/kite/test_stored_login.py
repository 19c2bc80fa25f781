"""The kept login: readable for its user alone, refused when others can read it, and never shown."""

import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from trading_platform.errors import LoginDamaged
from trading_platform.kite.stored_login import LoginFile, StoredLogin, fingerprint

KEY = SecretStr("key-of-mine")
TOKEN = "nobody-sees-this"  # noqa: S105


def a_login(dies_ns: int = 200) -> StoredLogin:
    return StoredLogin(
        user_id="AB1234",
        key_fingerprint=fingerprint(KEY),
        access_token=SecretStr(TOKEN),
        logged_in_ns=100,
        dies_ns=dies_ns,
    )


def test_a_login_is_kept_for_its_user_alone_and_forgotten(tmp_path: Path) -> None:
    file = LoginFile.of(tmp_path / "data", "k1")
    assert file.read() is None
    before = os.umask(0)
    try:
        file.write(a_login())
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    found = file.read()
    assert found == a_login()
    assert found is not None
    assert found.access_token.get_secret_value() == TOKEN
    file.write(a_login(300))
    assert [one.name for one in file.path.parent.iterdir()] == ["k1.json"]
    assert file.forget()
    assert not file.forget()
    assert file.read() is None


def test_it_lives_until_it_dies_and_belongs_to_one_key() -> None:
    assert a_login(200).lives(199)
    assert not a_login(200).lives(200)
    assert a_login().is_of(KEY)
    assert a_login().is_of(None)
    assert not a_login().is_of(SecretStr("another"))
    assert "key-of-mine" not in fingerprint(KEY)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = LoginFile.of(tmp_path, "k1")
    file.write(a_login())
    file.path.chmod(0o640)
    with pytest.raises(LoginDamaged, match="chmod 600"):
        file.read()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"version": 2}', b'{"access_token": "nobody-sees-this", "user_id": 7}'],
)
def test_a_damaged_file_is_named_without_what_it_holds(tmp_path: Path, content: bytes) -> None:
    file = LoginFile.of(tmp_path, "k1")
    file.write(a_login())
    file.path.write_bytes(content)
    with pytest.raises(LoginDamaged, match="--forget") as caught:
        file.read()
    assert TOKEN not in str(caught.value)
    assert file.forget()
