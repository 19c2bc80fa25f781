"""What somebody must hear of at once: a line in the log and, where one is set, a webhook; neither holds a secret."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trading_platform.market.clock import Clock
from trading_platform.orchestration.webhook import Refusal, post
from trading_platform.settings import Settings

VERSION = 1
LOGGER = logging.getLogger("trading_platform.alerts")

_MOST_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that happened; `level` is red, degraded, or green when it is over."""

    kind: str
    level: str
    says: str
    advice: str | None = None
    facts: Mapping[str, str | int | float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of an alert; `refusal` says why a webhook did not take it, None without one."""

    posted: bool
    refusal: Refusal | None = None

    @property
    def is_done(self) -> bool:
        """Return whether to leave it at that: taken, no webhook, or one that will not take it later either."""
        return self.refusal is None or not self.refusal.may_pass

    def __str__(self) -> str:
        """Return it as part of a sentence."""
        if self.refusal is not None:
            return f"logged; the webhook did not take it: {self.refusal.says}"
        return "logged and posted" if self.posted else "logged; no webhook is set"


def deliver(alert: Alert, settings: Settings, *, is_logged: bool = False) -> Delivery:
    """Log an alert, unless that was done, and post it; what goes wrong with the webhook is logged, never raised."""
    shown = payload_of(alert, settings)
    if not is_logged:
        LOGGER.log(logging.WARNING if alert.level == "green" else logging.ERROR, "%s", shown["text"])
    if settings.alert_webhook_url is None:
        return Delivery(posted=False)
    refusal = post(settings.alert_webhook_url, shown)
    if refusal is not None:
        LOGGER.error("the webhook did not take the alert %s: %s", alert.kind, refusal.says)
    return Delivery(posted=refusal is None, refusal=refusal)


def payload_of(alert: Alert, settings: Settings) -> dict[str, Any]:
    """Return an alert as it is posted; `text` is what chat services show."""

    def clean(text: str) -> str:
        return settings.redacted(text)[:_MOST_CHARACTERS]

    says, advice = clean(alert.says), alert.advice and clean(alert.advice)
    told = f"[{alert.level}] {alert.kind} of shard {settings.shard}: {says}"
    return {
        "version": VERSION,
        "kind": alert.kind,
        "level": alert.level,
        "shard": settings.shard,
        "at": Clock.wall().now().isoformat(),
        "says": says,
        "advice": advice,
        "facts": {name: clean(value) if isinstance(value, str) else value for name, value in alert.facts.items()},
        "text": f"{told} ({advice})" if advice else told,
    }
