"""A million mutated frames through the compiled decoder, with bounds checks that are proven to be on.

    NUMBA_BOUNDSCHECK=1 python -m trading_platform_tests.torture.mutated_frames [--frames 1000000] [--seed 1]

Each payload is an array of its own, exactly as long as it is, so that a byte beyond it is out of bounds. What comes out
is compared with a plain walk over the bytes, and with what the whole frame gave.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.wire.kite_packets import DamageKind, _u16, decode
from trading_platform_tests.wire.official_client import DIVISORS, KNOWN_LENGTHS, frame
from trading_platform_tests.wire.plain_walk import found, walk

MUTANTS_OF_ONE = 25
MOST_PACKETS = 12
_ODD_LENGTHS = (0, 1, 7, 9, 43, 164, 183, 185, 492, 32767, 65535, *KNOWN_LENGTHS)
_POOL_BYTES = 1 << 20

Mutation = Callable[[bytearray, Random, bytes], None]


def bounds_are_checked() -> bool:
    """Return whether the decoder's own reading of a word refuses a byte beyond the end of its buffer."""
    try:
        _u16(np.zeros(3, np.uint8)[:2], 1)
    except IndexError:
        return True
    return False


def good_frames(rng: Random) -> Iterator[list[bytes]]:
    """Yield lists of packets as they are sent: known lengths and segments, any content."""
    segments = sorted(DIVISORS)
    while True:
        bodies = [bytearray(rng.randbytes(rng.choice(KNOWN_LENGTHS))) for _ in range(rng.randint(1, MOST_PACKETS))]
        for body in bodies:
            body[3] = rng.choice(segments)
        yield [bytes(body) for body in bodies]


def cut(payload: bytearray, rng: Random, pool: bytes) -> None:
    del payload[rng.randint(0, len(payload)) :]


def flip(payload: bytearray, rng: Random, pool: bytes) -> None:
    if payload:
        payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)


def overwrite(payload: bytearray, rng: Random, pool: bytes) -> None:
    at, size = rng.randint(0, len(payload)), rng.randint(1, 200)
    payload[at : at + size] = _from(pool, rng, size)


def insert(payload: bytearray, rng: Random, pool: bytes) -> None:
    at = rng.randint(0, len(payload))
    payload[at:at] = _from(pool, rng, rng.randint(1, 200))


def delete(payload: bytearray, rng: Random, pool: bytes) -> None:
    at = rng.randint(0, len(payload))
    del payload[at : at + rng.randint(1, 200)]


def wrong_count(payload: bytearray, rng: Random, pool: bytes) -> None:
    near = int.from_bytes(payload[:2], "big") + rng.randint(-3, 3)
    payload[:2] = rng.choice([min(max(0, near), 65535), 0, 65535, rng.randrange(65536)]).to_bytes(2, "big")


def wrong_length(payload: bytearray, rng: Random, pool: bytes) -> None:
    """Change the length word of one packet, wherever the words before it lead."""
    at = 2
    for _ in range(rng.randrange(MOST_PACKETS)):
        following = at + 2 + int.from_bytes(payload[at : at + 2], "big")
        if following + 2 > len(payload):
            break
        at = following
    payload[at : at + 2] = rng.choice(_ODD_LENGTHS).to_bytes(2, "big")


MUTATIONS: tuple[Mutation, ...] = (cut, flip, overwrite, insert, delete, wrong_count, wrong_length)


def mutant(whole: bytes, rng: Random, pool: bytes) -> bytes:
    """Return the payload after one to three mutations."""
    payload = bytearray(whole)
    for change in rng.choices(MUTATIONS, k=rng.choice([1, 1, 1, 2, 3])):
        change(payload, rng, pool)
    return bytes(payload)


def faults_of(bodies: list[bytes], whole: NDArray[np.void], payload: bytes) -> Iterator[str]:
    """Decode a mutant; yield what is wrong with what came out."""
    good, expected = walk(payload)
    try:
        ticks, damage = decode(payload)
    except (IndexError, ValueError) as error:
        yield repr(error)
        return
    if found(damage) != expected:
        yield f"damage {found(damage)}, not {expected}"
    if ticks["token"].tolist() != [int.from_bytes(body[:4], "big") for body in good]:
        yield f"{len(ticks)} packets, not the {len(good)} good ones"
    if len(payload) > 1:
        unread = sum(length + 2 * (kind == DamageKind.UNKNOWN_LENGTH) for _, length, _, kind in found(damage))
        if 2 + sum(2 + len(body) for body in good) + unread != len(payload):
            yield f"{len(payload)} bytes are not accounted for"
    same = 0
    while same < min(len(good), len(bodies)) and good[same] == bodies[same]:
        same += 1
    if ticks[:same].tobytes() != whole[:same].tobytes():
        yield f"the first {same} packets are not those of the whole frame"


def fuzz(frames: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Decode so many mutants; return what was seen, and what was wrong."""
    rng = Random(seed)
    pool = rng.randbytes(_POOL_BYTES)
    seen: Counter[str] = Counter()
    faults: list[str] = []
    for bodies in good_frames(rng):
        if seen["frames"] >= frames or len(faults) > 20:
            return seen, faults
        payload = frame(*bodies)
        whole, damage = decode(payload)
        if len(whole) != len(bodies) or len(damage):
            faults.append(f"a good frame is damaged: {payload.hex()}")
        for _ in range(MUTANTS_OF_ONE):
            changed = mutant(payload, rng, pool)
            faults += [f"{fault}: {changed.hex()}" for fault in faults_of(bodies, whole, changed)]
            seen["frames"] += 1
            seen["still_whole"] += changed == payload
            seen["bytes"] += len(changed)
    return seen, faults


def main() -> int:
    """Run, print a summary, return 1 when something was wrong and 2 when the checks are off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if not bounds_are_checked():
        print("bounds checks are off: run with NUMBA_BOUNDSCHECK=1", file=sys.stderr)  # noqa: T201
        return 2
    begun = elapsed_ns()
    seen, faults = fuzz(asked.frames, asked.seed)
    seconds = (elapsed_ns() - begun) / NS_PER_SECOND
    print(orjson.dumps({**seen, "bounds_checked": True, "seconds": round(seconds, 1), "faults": faults}).decode())  # noqa: T201
    return 1 if faults else 0


def _from(pool: bytes, rng: Random, size: int) -> bytes:
    at = rng.randrange(len(pool) - size)
    return pool[at : at + size]


if __name__ == "__main__":
    sys.exit(main())
