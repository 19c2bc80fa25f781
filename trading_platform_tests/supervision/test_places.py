"""The supervisor's folder: private, lockable, with sockets whose paths are short enough."""

import os
import stat
from pathlib import Path

import pytest

from trading_platform.errors import SupervisorFailed
from trading_platform.supervision.places import Places


def test_the_folder_is_for_its_user_alone_and_one_at_a_time_works_on_it(tmp_path: Path) -> None:
    places = Places.of(tmp_path / "data")
    with places.locked():
        assert stat.S_IMODE(places.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(places.logs.stat().st_mode) == 0o700
        with pytest.raises(SupervisorFailed, match="under way"), places.locked():
            pass
    with places.locked():
        pass


def test_sockets_fit_the_system_wherever_the_data_is(tmp_path: Path) -> None:
    deep = Places.of(tmp_path / ("d" * 100))
    other = Places.of(tmp_path / ("e" * 100))
    # the supervisor first binds a name with a point and its process number behind it
    assert len(os.fsencode(deep.control)) + len(".4194304") < 104
    assert len(os.fsencode(deep.code)) < 104
    assert len({deep.control, deep.code, other.control, other.code}) == 4
    near = Places(Path("/d/supervisor"))
    assert (near.control, near.code) == (near.folder / "control.sock", near.folder / "code.grpc")
