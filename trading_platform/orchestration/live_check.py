"""The proof of the platform: what the engine wrote while it ran equals a replay of the journal in a fresh process."""

import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import polars as pl

from trading_platform.batch.pattern_runs import Difference, Outputs, compare, live_outputs, replay_outputs, revised_bars
from trading_platform.errors import BlockFormatError, JournalError, StoreUnavailable
from trading_platform.orchestration.asset_patterns import patterns
from trading_platform.orchestration.context import RecordSpan, record_span, run_sessions
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import JournalsResource, RedisManagerResource
from trading_platform.ports import LiveOutputs, LivePosition

NO_LIVE_RECORD = "Redis holds no live outputs of this session any more: nothing can be compared"


@dg.asset_check(
    asset=patterns,
    partitions_def=SESSIONS,
    description="Bars, indicators and signals in Redis equal a replay of the journal in a fresh process, row for row.",
)
def live_equals_replay(
    context: dg.AssetCheckExecutionContext, redis_manager: RedisManagerResource, journals: JournalsResource
) -> dg.AssetCheckResult:
    """Compare every row of the session so far, and the digest of all features when both sides end together.

    A damaged journal or unreadable live rows fail the check with the reason. Without live rows there is nothing to
    compare: the check then fails as a warning, because silence must not look like proof.
    """
    (session,) = run_sessions(context)
    return verdict(redis_manager, journals, session, record_span(context.run.tags))


def verdict(
    redis_manager: RedisManagerResource, journals: JournalsResource, session: date, span: RecordSpan
) -> dg.AssetCheckResult:
    """Return the result of the check; what keeps it from comparing fails it, with the reason."""
    try:
        return judge(redis_manager.store(), journals, session, span)
    except (JournalError, BlockFormatError, StoreUnavailable) as error:
        return _failed(str(error), error=type(error).__name__)


def report(instance: dg.DagsterInstance, session: date, result: dg.AssetCheckResult) -> None:
    """Record a result outside a step, for a run whose assets failed before their check was reached."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=patterns.key,
            check_name=live_equals_replay.check_key.name,
            passed=result.passed,
            severity=result.severity,
            metadata=result.metadata,
            partition=session.isoformat(),
        )
    )


def judge(live: LiveOutputs, journals: JournalsResource, session: date, span: RecordSpan) -> dg.AssetCheckResult:
    """Compare the live side as it stands now with a fresh replay."""
    position = live.position(session)
    if position is None:
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"reason": NO_LIVE_RECORD}
        )
    bars, indicators = live.read_bars(session)
    written = live_outputs(bars, indicators, live.read_signals(session))
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        journals.replay_in_fresh_process(session, Path(folder))
        replayed, summary = _read(Path(folder))
    until = min(position.record, span.until if span.until is not None else position.record)
    # from the first record, not from where the run's intervals begin: a green afternoon must not hide a red morning
    here, there = written.between(0, until), replayed.between(0, until)
    return _result(compare(here, there), _digests(position, summary), _facts(here, span.after, until))


def _read(folder: Path) -> tuple[Outputs, dict[str, Any]]:
    frames = [pl.read_parquet(folder / f"{name}.parquet") for name in ("bars", "indicators", "signals")]
    return replay_outputs(*frames), orjson.loads((folder / "summary.json").read_bytes())


def _digests(position: LivePosition, summary: dict[str, Any]) -> dict[str, str]:
    """Return both digests of the features; while the journal goes on beyond the live position there is only one."""
    if summary["last_record"] != position.record:
        return {}
    return {"live": position.features_digest, "replay": str(summary["features_digest"])}


def _facts(live: Outputs, after: int, until: int) -> dict[str, Any]:
    rows = {f"live_{name}": frame.height for name, frame in live.families.items()}
    return {"run_from_record": after, "to_record": until, **rows, "revised_bars": revised_bars(live)}


def _result(differences: list[Difference], digests: dict[str, str], facts: dict[str, Any]) -> dg.AssetCheckResult:
    unequal = [one for one in differences if not one.is_equal]
    same_digest = len(set(digests.values())) <= 1
    told = {f"{one.family}_difference": dg.MetadataValue.json(asdict(one)) for one in unequal}
    shown = {f"features_digest_{side}": digest for side, digest in digests.items()}
    compared = "rows and features digest" if digests else "rows; the journal goes on beyond the live position"
    return dg.AssetCheckResult(
        passed=not unequal and same_digest,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"compared": compared, **facts, **shown, **told},
    )


def _failed(reason: str, *, error: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False, severity=dg.AssetCheckSeverity.ERROR, metadata={"reason": reason, "error": error}
    )
