"""The faults of the official client, one after the other, with what it and what our feed made of each."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from kiteconnect import KiteTicker

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.kite_packets import decode
from trading_platform_tests.official.our_feed import SLOW_SECONDS
from trading_platform_tests.official.scene import FULL, OFFICIAL, OURS, Scene, scene, seconds_between


@dataclass(frozen=True)
class Silence:
    """No message comes any more, not even a heartbeat, and the TCP connection stays."""

    watched_seconds: float
    official_is_connected: bool
    official_said: list[str]
    ours_found_seconds: float
    ours_back_seconds: float
    ours_gaps: int

    @property
    def official(self) -> str:
        said = ", ".join(self.official_said) or "no callback of any kind"
        return f"is_connected() = {self.official_is_connected} after {self.watched_seconds:.0f} s; {said}"

    @property
    def ours(self) -> str:
        return (
            f"found after {self.ours_found_seconds:.1f} s, frames again after {self.ours_back_seconds:.1f} s, "
            f"{self.ours_gaps} gap recorded"
        )


def silence(folder: Path, watch_seconds: float = 6.0) -> Silence:
    """Let both sockets fall silent; watch the official client for so long, and ask it for its state then."""
    with scene(folder, status_seconds=0.25) as on:
        begun = on.fault("silence")
        on.wait(lambda: bool(on.ours.controls(ControlType.DISCONNECTED)))
        gone = on.ours.controls(ControlType.DISCONNECTED)[0]
        on.wait(lambda: bool(on.ours.gaps()))
        on.wait(lambda: on.ours.frames()[-1].received_ns > gone.received_ns)
        frames = on.ours.frames()
        last = max(one.received_ns for one in on.ours.payloads() if one.received_ns <= gone.received_ns)
        back = min(one.received_ns for one in frames if one.received_ns > gone.received_ns)
        pause(max(0.0, watch_seconds - seconds_between(begun, elapsed_ns())))
        watched, since = elapsed_ns(), len(on.official.events)
        connected = on.official.wait("status", since=since)["connected"]
        # what was under way when the silence began came within its first second
        later = [one for one in on.official.events if one["at_ns"] > begun + NS_PER_SECOND]
        return Silence(
            seconds_between(begun, watched),
            connected,
            sorted({one["event"] for one in later} - {"status"}),
            seconds_between(last, gone.received_ns),
            seconds_between(last, back),
            len(on.ours.gaps()),
        )


@dataclass(frozen=True)
class Truncation:
    """One frame ends in the middle of a packet."""

    whole_packets: int
    official_ticks_of_it: int
    official_close: str
    official_seconds_without_ticks: float
    ours_ticks_of_it: int
    ours_is_what_was_sent: bool
    ours_disconnections: int

    @property
    def official(self) -> str:
        return (
            f"{self.official_ticks_of_it} of the {self.whole_packets} whole packets reach on_ticks; connection dropped "
            f"({self.official_close}), {self.official_seconds_without_ticks:.1f} s without ticks"
        )

    @property
    def ours(self) -> str:
        kept = "as it was sent" if self.ours_is_what_was_sent else "CHANGED"
        return (
            f"journalled {kept}, {self.ours_ticks_of_it} of the {self.whole_packets} whole packets decoded, "
            f"{self.ours_disconnections} disconnections"
        )


def truncation(folder: Path) -> Truncation:
    """Cut one frame of each socket in half."""
    with scene(folder) as on:
        on.fault("truncate")
        closed = on.official.wait("close")
        since = on.official.events.index(closed)
        again = on.official.wait("ticks", since=since)
        on.wait(lambda: any(whole_packets(one.body) is not None for one in on.ours.frames()))
        place, cut = _around_damage(on.official.events[:since])
        damaged = next(one.body for one in on.ours.frames() if whole_packets(one.body) is not None)
        on.wait(lambda: on.ours.frames()[-1].body != damaged)
        ticks, damage = decode(damaged)
        assert len(damage) == 1
        whole = whole_packets(damaged)
        assert whole is not None
        assert whole == whole_packets(cut)
        before_it = on.official.of("ticks")[-1 - len(on.official.of("ticks", since))]
        return Truncation(
            whole,
            sum(len(one["ticks"]) for one in on.official.of("ticks", place + 1) if one["at_ns"] < closed["at_ns"]),
            str(closed["code"]),
            seconds_between(before_it["at_ns"], again["at_ns"]),
            len(ticks),
            damaged in {body for _, body in on.sent(OURS)},
            len(on.ours.controls(ControlType.DISCONNECTED)),
        )


def whole_packets(frame: bytes) -> int | None:
    """Return how many packets of a frame that is cut short are whole, None for a frame that is not cut."""
    at = 2
    for whole in range(int.from_bytes(frame[:2], "big")):
        at += 2 + int.from_bytes(frame[at : at + 2], "big")
        if at > len(frame):
            return whole
    return None


def _around_damage(events: list[dict[str, Any]]) -> tuple[int, bytes]:
    """Return where the damaged frame stands among the events, and the frame."""
    for place, one in enumerate(events):
        frame = bytes.fromhex(one["payload"]) if one["event"] == "message" else b"\x00"
        if len(frame) > 1 and whole_packets(frame) is not None:
            return place, frame
    raise AssertionError("the official client was not sent a damaged frame")


@dataclass(frozen=True)
class SlowConsumer:
    """What is done with a frame takes half a second, and ten frames come a second."""

    official_sent: int
    official_handled: int
    official_stale_seconds: float
    official_said: list[str]
    ours_sent: int
    ours_journalled: int
    ours_worst_seconds: float

    @property
    def official(self) -> str:
        said = ", ".join(self.official_said) or "no callback says so"
        return (
            f"{self.official_handled} of {self.official_sent} frames handled, the newest tick is "
            f"{self.official_stale_seconds:.0f} s old; {said}"
        )

    @property
    def ours(self) -> str:
        return (
            f"{self.ours_journalled} of {self.ours_sent} frames journalled in the end, received at most "
            f"{self.ours_worst_seconds * 1000:.0f} ms after they were sent"
        )


def slow_consumer(folder: Path, handled: int = 8) -> SlowConsumer:
    """Let on_ticks, and the writer of our journal, take their time over each frame."""
    with scene(folder, slow_seconds=SLOW_SECONDS) as on:
        on.ours.slow.set()
        on.official.wait("ticks", handled)
        count, frames_sent = len(on.official.of("ticks")), on.sockets()[OFFICIAL]["frames"]
        stale = seconds_between(_newest_ns(on.official.ticks()), on.ours.clock.now_ns())
        said = {one["event"] for one in on.official.events} - {"connect", "message", "ticks"}
        on.ours.slow.clear()
        sent = on.sent(OURS)
        on.wait(lambda: len(on.ours.payloads()) >= len(sent))
        received = on.ours.payloads()[: len(sent)]
        assert [one.body for one in received] == [body for _, body in sent]
        delays = [seconds_between(at_ns, one.received_ns) for (at_ns, _), one in zip(sent, received, strict=True)]
        frames = sum(len(body) > 1 for _, body in sent)
        kept = sum(len(one.body) > 1 for one in received)
        return SlowConsumer(frames_sent, count, stale, sorted(said), frames, kept, max(delays))


def _newest_ns(ticks: list[dict[str, Any]]) -> int:
    """Return the latest time of the exchange in ticks as the client prints them: in the zone of the machine."""
    texts = [tick["exchange_timestamp"] for tick in ticks if "exchange_timestamp" in tick]
    return int(datetime.fromisoformat(max(texts)).timestamp()) * NS_PER_SECOND


@dataclass(frozen=True)
class Refusal:
    """The token is refused with 403 on the upgrade."""

    official_attempts: int
    official_pauses: list[float]
    ours_attempts: int
    ours_message: str

    @property
    def official(self) -> str:
        pauses = ", ".join(f"{seconds:.1f}" for seconds in self.official_pauses)
        return (
            f"{self.official_attempts} attempts, {pauses} s apart and so on: up to {KiteTicker.RECONNECT_MAX_TRIES}, "
            "told in on_error and on_close like any network fault"
        )

    @property
    def ours(self) -> str:
        return f"{self.ours_attempts} attempt, then: {self.ours_message}"


def refusal(folder: Path, attempts: int = 3) -> Refusal:
    """Refuse the token and drop both sockets; wait until the official client has tried so often."""
    with scene(folder) as on:
        on.fault("refuse_token")
        on.fault("drop")
        on.wait(lambda: len(_refused(on)) >= attempts and on.ours.gate.waiting is not None)
        told = _refused(on)
        pauses = [seconds_between(one["at_ns"], after["at_ns"]) for one, after in pairwise(told)]
        # what the exchange refused less what the official client heard of; one of its attempts can be under way
        ours = min(_all_refused(on) - len(_refused(on)) for _ in range(10))
        return Refusal(len(told), pauses, ours, str(on.ours.gate.waiting))


def _refused(on: Scene) -> list[dict[str, Any]]:
    return [one for one in on.official.of("error") if "403" in one["reason"]]


def _all_refused(on: Scene) -> int:
    counts: Any = on.exchange.get("/simulator/faults")
    return int(counts["refused_token_on_upgrade"])


@dataclass(frozen=True)
class Reconnection:
    """A connection is cut and made again."""

    official_asked: list[str]
    official_poor_ticks: int
    ours_asked: list[str]
    ours_poor_ticks: int

    @property
    def official(self) -> str:
        return (
            f"{len(self.official_asked)} messages: {'; '.join(self.official_asked)}; {self.official_poor_ticks} ticks "
            "of instruments in full mode came as quotes, without a time"
        )

    @property
    def ours(self) -> str:
        return f"{len(self.ours_asked)} messages: {'; '.join(self.ours_asked)}; {self.ours_poor_ticks} such ticks"


def reconnection(folder: Path) -> Reconnection:
    """Drop one socket after the other, so that the exchange's third is the official client's and its fourth ours."""
    with scene(folder) as on:
        on.fault("drop", OFFICIAL)
        on.official.wait("connect", 2)
        since = on.official.events.index(on.official.wait("connect", 2))
        on.wait(lambda: len(on.official.of("ticks", since)) > 10)
        on.fault("drop", OURS)
        on.wait(lambda: len(on.ours.controls(ControlType.SUBSCRIBED)) == 2)
        back = on.ours.controls(ControlType.SUBSCRIBED)[1].received_ns
        on.wait(lambda: sum(one.received_ns > back for one in on.ours.frames()) > 10)
        *_, third, fourth = on.sockets()
        ours = [tick for one in on.ours.frames() if one.received_ns > back for tick in decode(one.body)[0]]
        return Reconnection(
            third["asked_last"],
            sum(_poor(int(tick["instrument_token"]), tick["mode"]) for tick in on.official.ticks(since)),
            fourth["asked_last"],
            sum(_poor(int(tick["token"]), "full" if tick["mode"] == 3 else "quote") for tick in ours),
        )


def _poor(token: int, mode: str) -> bool:
    return token in FULL and mode != "full"


Finding = Silence | Truncation | SlowConsumer | Refusal | Reconnection
