"""When Dagster's daemons beat last, asked of a webserver that runs already: importing Dagster would take longer."""

from typing import Any

import orjson
import requests

from trading_platform.errors import DagsterSilent

_ANSWER_SECONDS = 5.0
_BEATS = "{instance{daemonHealth{allDaemonStatuses{daemonType required lastHeartbeatTime}}}}"


def heartbeats(webserver: str) -> dict[str, float | None]:
    """Return by name of each daemon that is needed when it beat, seconds since the epoch, None for never.

    That is what Dagster's storage says. Raise DagsterSilent without an answer, or for one that does not say it.
    """
    try:
        answer = requests.post(f"{webserver}/graphql", json={"query": _BEATS}, timeout=_ANSWER_SECONDS)
        found: list[dict[str, Any]] = orjson.loads(answer.content)["data"]["instance"]["daemonHealth"][
            "allDaemonStatuses"
        ]
        beats = {str(one["daemonType"]): one["lastHeartbeatTime"] for one in found if one["required"]}
        return {name: None if beat is None else float(beat) for name, beat in beats.items()}
    except requests.RequestException as error:
        raise DagsterSilent(f"the webserver, which knows of its heartbeats ({type(error).__name__})") from None
    except (LookupError, TypeError, ValueError):
        raise DagsterSilent("heartbeats: the webserver's answer is none") from None
