"""A folder of minute bars through journal, engine and Dagster: every bar equal to the files, live equal to replay.

    python -m trading_platform_tests.torture.real_minutes FOLDER [--data-dir DIR]

FOLDER holds Parquet files of minute bars. Each of their sessions is played and computed live, replayed in a fresh
process, materialised by Dagster in one run, and compared; at last one byte of a journal is flipped, and everything
that compares has to turn red.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from trading_platform.cli.demo_summary import lacks_a_past
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire import redis_keys

FAMILIES = ("bars", "indicators", "signals", "features")
PRICES = ("open", "high", "low", "close")


class Proof:
    """One run over a folder of bars, in a data folder of its own."""

    def __init__(self, bars: Path, data: Path) -> None:
        self._bars_folder = bars
        self._data = data
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TP_", "DAGSTER_"))},
            "TP_DATA_DIR": str(data),
            "DAGSTER_HOME": str(data / "dagster"),
        }
        self._client = RedisManager(None, data / "valkey").connect()
        self.figures: dict[str, Any] = {}
        self.faults: list[str] = []

    def run(self) -> None:
        """Do everything, in order."""
        self._command("play", "--bars", str(self._bars_folder))
        self._command("engine", "--until-closed")
        given = pl.read_parquet(self._bars_folder / "*.parquet")
        sessions = given["ts"].dt.date().unique().sort().to_list()
        replayed = {session: self._replay(session) for session in sessions}
        self._compare_bars(given, replayed)
        self._compare_live(replayed)
        self._dagster(sessions)
        self._flip(sessions[-1])
        self.figures["sessions"] = len(sessions)

    def _replay(self, session: date) -> Path:
        out = self._data / "replay" / f"{session:%Y%m%d}"
        self._command("replay", str(self._journal(session)), "--out", str(out))
        return out

    def _compare_bars(self, given: pl.DataFrame, replayed: dict[date, Path]) -> None:
        found = pl.concat([pl.read_parquet(out / "bars.parquet") for out in replayed.values()])
        found = found.filter(pl.col("interval") == 1).with_columns(ts=pl.col("start").dt.replace_time_zone(None))
        joined = given.with_columns(pl.col("ts").cast(pl.Datetime("us"))).join(
            found, on=["symbol", "ts"], how="full", suffix="_ours", coalesce=True
        )
        equal = pl.all_horizontal(
            *(pl.col(name).eq_missing(pl.col(f"{name}_ours")) for name in PRICES),
            # an index has volume 0 in the files and none with us
            pl.col("volume").eq_missing(pl.col("volume_ours").fill_null(0)),
        )
        wrong = joined.filter(~equal)
        self.figures |= {"bars_in_files": given.height, "bars_equal": joined.height - wrong.height}
        if wrong.height or found.height != given.height:
            self.faults.append(f"{wrong.height} bars differ, first {wrong.head(1).to_dicts()}")
        revised = found.filter(pl.col("revision") > 0).height
        if revised:
            self.faults.append(f"{revised} bars were revised, though nothing came late")

    def _compare_live(self, replayed: dict[date, Path]) -> None:
        ticks, seconds = 0, 0.0
        for session, out in replayed.items():
            summary = orjson.loads((out / "summary.json").read_bytes())
            live: Any = self._client.hgetall(redis_keys.position("k1", session))
            for family in FAMILIES:
                if live[f"{family}_digest".encode()].decode() != summary["digests"][family]:
                    self.faults.append(f"{session}: live {family} are not the replay's")
            ticks += summary["counters"]["packets"]
            seconds += summary["seconds"]
        self.figures |= {"ticks": ticks, "replay_ticks_per_second": round(ticks / seconds)}

    def _dagster(self, sessions: list[date]) -> None:
        self._python("-m", "trading_platform.orchestration.instance", str(self._data))
        span = f"{sessions[0]}...{sessions[-1]}"
        started = time.monotonic()
        self._tool(
            "dagster", "asset", "materialize", "-m", "trading_platform.definitions",
            "--select", "instruments,minute_bars", "--partition-range", span,
        )  # fmt: skip
        self.figures["dagster_bars_in_one_run_seconds"] = round(time.monotonic() - started, 1)
        for job in ("materialize_baselines", "run_patterns"):
            self._tool("dagster", "job", "execute", "-m", "trading_platform.definitions", "-j", job)
        report = orjson.loads(self._python("-m", "trading_platform.orchestration.report").splitlines()[-1])
        rows = report["assets"]["minute_bars"]["partitions"]
        self.figures["bars_in_lake"] = sum(rows.values())
        if self.figures["bars_in_lake"] != self.figures["bars_in_files"]:
            self.faults.append(f"the lake holds {self.figures['bars_in_lake']} bars")
        bad = {
            name: said["facts"]
            for name, said in report["checks"].items()
            if not said["passed"] and not lacks_a_past(name, said)
        }
        self.figures["checks"] = {name: said["passed"] for name, said in report["checks"].items()}
        if bad:
            self.faults.append(f"checks failed: {bad}")

    def _flip(self, session: date) -> None:
        segment = sorted(self._journal(session).glob("*.zst"))[0]
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 0x10
        segment.write_bytes(content)
        replay = self._call(
            sys.executable, "-m", "trading_platform", "replay", str(self._journal(session)),
            "--out", str(self._data / "flipped"),
        )  # fmt: skip
        check = self._call(
            self._binary("dagster"), "job", "execute", "-m", "trading_platform.definitions", "-j", "run_patterns"
        )
        self.figures["flipped_byte"] = {"replay_exit": replay.returncode, "run_patterns_exit": check.returncode}
        self.figures["flipped_byte"]["message"] = replay.stderr.strip()
        if replay.returncode == 0 or check.returncode == 0:
            self.faults.append("a flipped byte in the journal went unnoticed")

    def _journal(self, session: date) -> Path:
        return self._data / "journal" / "k1" / f"{session:%Y%m%d}"

    def _command(self, *arguments: str) -> str:
        return self._python("-m", "trading_platform", *arguments)

    def _python(self, *arguments: str) -> str:
        return self._checked(sys.executable, *arguments)

    def _tool(self, name: str, *arguments: str) -> str:
        return self._checked(self._binary(name), *arguments)

    def _binary(self, name: str) -> str:
        return str(Path(sys.executable).parent / name)

    def _checked(self, *command: str) -> str:
        done = self._call(*command)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def _call(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)


def main() -> int:
    """Run the proof; print its figures; return 1 when something was not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bars", type=Path)
    parser.add_argument("--data-dir", type=Path)
    chosen = parser.parse_args()
    data = chosen.data_dir or Path(tempfile.mkdtemp(prefix="real-minutes-"))
    data.mkdir(parents=True, exist_ok=True)
    proof = Proof(chosen.bars.absolute(), data.absolute())
    try:
        proof.run()
    finally:
        EmbeddedValkey(data.absolute() / "valkey").stop()
        if chosen.data_dir is None:
            shutil.rmtree(data, ignore_errors=True)
    sys.stdout.write(
        orjson.dumps({**proof.figures, "faults": proof.faults}, option=orjson.OPT_INDENT_2).decode() + "\n"
    )
    return 1 if proof.faults else 0


if __name__ == "__main__":
    sys.exit(main())
