"""The access token of the last login, in a file of its own for its user alone; no backup takes that folder."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from trading_platform.errors import LoginDamaged
from trading_platform.market.clock import Clock

FOLDER = "login"
VERSION = 1
_LATEST_NS = 2**62
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

Text = Annotated[str, Field(min_length=1, max_length=200)]
Moment = Annotated[int, Field(ge=0, le=_LATEST_NS)]


class StoredLogin(BaseModel):
    """A login: whose, of which API key (by its fingerprint), since when and until when (nanoseconds, our clock)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = Field(VERSION, ge=VERSION, le=VERSION)
    user_id: Text
    user_name: str = Field("", max_length=200)
    key_fingerprint: Text
    access_token: SecretStr
    logged_in_ns: Moment
    dies_ns: Moment

    def lives(self, now_ns: int) -> bool:
        """Tell whether the token is not dead yet at a moment."""
        return now_ns < self.dies_ns

    def is_of(self, api_key: SecretStr | None) -> bool:
        """Tell whether it was made with this API key; without one, any will do."""
        return api_key is None or fingerprint(api_key) == self.key_fingerprint


@dataclass(frozen=True, slots=True)
class LoginFile:
    """Where the login of one shard is kept."""

    path: Path

    @classmethod
    def of(cls, data_dir: Path, shard: str) -> "LoginFile":
        """Return the file of a shard."""
        return cls(data_dir / FOLDER / f"{shard}.json")

    def read(self) -> StoredLogin | None:
        """Return the login, None when there is none; raise LoginDamaged."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & _OTHERS:
                    raise LoginDamaged(f"{self.path} can be read by others: chmod 600 it, or log in again")
                return StoredLogin.model_validate(orjson.loads(file.read()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LoginDamaged(f"{self.path} cannot be read: {error.strerror}; mend its rights") from None
        except (orjson.JSONDecodeError, ValidationError):  # their texts may hold the token
            raise LoginDamaged(f"{self.path} is no login: trading-platform login --forget, then log in") from None

    def living_token(self, api_key: SecretStr | None, clock: Clock) -> SecretStr | None:
        """Return the token while it lives and is of this key, else None; raise LoginDamaged."""
        login = self.read()
        usable = login is not None and login.lives(clock.now_ns()) and login.is_of(api_key)
        return login.access_token if login is not None and usable else None

    def write(self, login: StoredLogin) -> None:
        """Keep a login in place of any before, at once."""
        values = login.model_dump(mode="json") | {"access_token": login.access_token.get_secret_value()}
        unfinished = self.path.with_suffix(".unfinished")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.parent.chmod(0o700)
            unfinished.unlink(missing_ok=True)
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(values, option=orjson.OPT_INDENT_2))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        except OSError as error:
            raise LoginDamaged(f"{self.path} cannot be written: {error.strerror}; mend the data folder") from None

    def forget(self) -> bool:
        """Remove the login; return whether there was one."""
        existed = self.path.exists()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise LoginDamaged(f"{self.path} cannot be removed: {error.strerror}; mend the data folder") from None
        return existed


def fingerprint(api_key: SecretStr) -> str:
    """Return what tells one API key from another without saying it."""
    return hashlib.sha256(b"trading_platform login\0" + api_key.get_secret_value().encode()).hexdigest()[:16]
