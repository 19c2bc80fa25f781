"""An alert is a line in the log and a document for the webhook, without any secret, and never an error."""

import logging
from pathlib import Path

import pytest

from trading_platform.orchestration.alerts import Alert, deliver, payload_of
from trading_platform.settings import IsolatedSettings
from trading_platform_tests.orchestration.webhook_server import TOKEN, webhook

SECRETS = {
    "kite_api_key": "hidden-key",
    "kite_access_token": "hidden-token",
    "redis_url": "redis://me:hidden%2Fpass@host:6379/0",
    "dagster_postgres_url": "postgresql+psycopg2://me:hidden-word@host/db",
}
TELLS_ALL = Alert(
    "run_failed",
    "red",
    "no answer of redis://me:hidden%2Fpass@host:6379/0 (hidden/pass) for hidden-key, hidden-token, hidden-word",
    "use hidden-token",
    {"job": "a job with hidden-key", "count": 3, "partition": None},
)


def settings(folder: Path, **changed: object) -> IsolatedSettings:
    return IsolatedSettings(data_dir=folder, **{**SECRETS, **changed})


def test_the_webhook_gets_everything_but_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with webhook() as hook:
        delivery = deliver(TELLS_ALL, settings(tmp_path, alert_webhook_url=hook.url))
        (posted,) = hook.posted
    assert (delivery.posted, delivery.is_done, str(delivery)) == (True, True, "logged and posted")
    assert posted["says"] == "no answer of *** (***) for ***, ***, ***"
    assert posted["facts"] == {"job": "a job with ***", "count": 3, "partition": None}
    assert (posted["kind"], posted["level"], posted["shard"], posted["version"]) == ("run_failed", "red", "k1", 1)
    assert posted["text"].startswith("[red] run_failed of shard k1: no answer of ***")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, posted["text"])
    assert "hidden" not in str(posted)


def test_without_a_webhook_it_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    delivery = deliver(Alert("feed_silent", "green", "over"), settings(tmp_path))
    assert (delivery.posted, delivery.is_done, str(delivery)) == (False, True, "logged; no webhook is set")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "[green] feed_silent of shard k1: over")


def test_a_webhook_that_fails_is_logged_without_its_url(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with webhook() as hook:
        hook.statuses = [500]
        given = settings(tmp_path, alert_webhook_url=hook.url)
        delivery = deliver(TELLS_ALL, given)
        again = deliver(TELLS_ALL, given, is_logged=True)
    assert not delivery.is_done
    assert not again.is_done
    told = [record.getMessage() for record in caplog.records]
    assert told[1:] == ["the webhook did not take the alert run_failed: it answered with status 500"] * 2
    assert TOKEN not in "".join(told) + str(delivery)


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    shown = payload_of(Alert("run_failed", "red", "x" * 100_000), settings(tmp_path))
    assert len(shown["text"]) < 1000
