from pydantic import SecretStr

from trading_platform.errors import SettingsError
from trading_platform.kite.key_gate import KeyGate, Standing
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause

OLD, NEW = SecretStr("old"), SecretStr("new")


def gate(tokens: list[SecretStr | None], said: list[str], *, check: float = 0.05, retry: float = 60.0) -> KeyGate:
    return KeyGate(SecretStr("key"), lambda: tokens[-1], said.append, check_seconds=check, retry_seconds=retry)


def test_all_sockets_get_the_token_while_it_is_good() -> None:
    opened = gate([OLD], [])
    assert [opened.token() for _ in range(3)] == [OLD] * 3
    assert opened.waiting is None


def test_a_refused_token_is_given_to_nobody_until_there_is_another() -> None:
    tokens: list[SecretStr | None] = [OLD]
    said: list[str] = []
    shut = gate(tokens, said)
    shut.refused(OLD, 403)
    pause(0.06)
    assert [shut.token() for _ in range(3)] == [None] * 3
    tokens.append(NEW)
    pause(0.06)
    # one socket tries it, the others wait for what it finds
    assert [shut.token() for _ in range(3)] == [NEW, None, None]
    shut.accepted()
    assert [shut.token() for _ in range(3)] == [NEW] * 3
    assert len(said) == 2
    assert "log in again" in said[0]
    assert "accepts the token again" in said[1]


def test_every_socket_that_is_refused_says_it_once() -> None:
    said: list[str] = []
    shut = gate([OLD], said)
    for _ in range(3):
        shut.refused(OLD, 403)
    assert len(said) == 1


def test_no_token_is_waited_for_and_said() -> None:
    tokens: list[SecretStr | None] = [None]
    said: list[str] = []
    shut = gate(tokens, said)
    assert shut.token() is None
    assert "log in to Kite" in said[0]
    tokens.append(NEW)
    assert shut.token() is None  # not looked at yet
    pause(0.06)
    assert shut.token() == NEW


def test_settings_that_cannot_be_read_just_now_are_waited_for() -> None:
    broken, said = [True], []

    def read() -> SecretStr:
        if broken[0]:
            raise SettingsError("settings.toml is not TOML: line 1")
        return OLD

    shut = KeyGate(SecretStr("key"), read, said.append, check_seconds=0.05)
    assert shut.token() is None
    assert "settings.toml is not TOML" in (shut.waiting or "")
    broken[0] = False
    pause(0.06)
    assert shut.token() == OLD
    shut.accepted()
    assert shut.waiting is None
    assert len(said) == 2


def test_a_refused_token_gets_another_chance_after_long() -> None:
    shut = gate([OLD], [], check=0.01, retry=2.0)
    shut.refused(OLD, 403)
    pause(0.03)
    assert shut.token() is None
    begun, found = elapsed_ns(), None
    while found is None:
        assert elapsed_ns() - begun < 60 * NS_PER_SECOND
        pause(0.05)
        found = shut.token()
    assert found == OLD
    pause(0.03)
    assert shut.token() is None


def test_what_is_known_of_the_token_is_told() -> None:
    tokens: list[SecretStr | None] = [OLD]
    told = gate(tokens, [])
    assert (told.standing, told.accepted_ns) == (Standing.NOT_TRIED, None)
    before = elapsed_ns()
    told.accepted()
    assert told.standing is Standing.ACCEPTED
    assert told.accepted_ns is not None
    assert before <= told.accepted_ns <= elapsed_ns()
    told.refused(OLD, 403)
    assert told.standing is Standing.REFUSED
    tokens.append(None)
    pause(0.06)
    assert told.token() is None
    assert told.standing is Standing.MISSING
