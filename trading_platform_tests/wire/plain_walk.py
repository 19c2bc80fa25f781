"""The oracle of damage: a payload taken apart the plain way, without a word of the decoder."""

import numpy as np

from trading_platform.wire.kite_packets import DamageKind
from trading_platform_tests.wire.official_client import KNOWN_LENGTHS

UNKNOWN, TRUNCATED, TRAILING, MISSING = DamageKind


def walk(payload: bytes) -> tuple[list[bytes], list[tuple[int, int, int, int]]]:
    """Split a payload the plain way: the good packets, and damage as (offset, length, packets, kind)."""
    good: list[bytes] = []
    damage: list[tuple[int, int, int, int]] = []
    left = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 0
    rest, at = payload[2:], 2
    while left and rest:
        size = int.from_bytes(rest[:2], "big")
        if len(rest) < 2 or size > len(rest) - 2:
            return good, [*damage, (at, len(rest), left, TRUNCATED)]
        if size in KNOWN_LENGTHS:
            good.append(rest[2 : 2 + size])
        else:
            damage.append((at + 2, size, 1, UNKNOWN))
        rest, at, left = rest[2 + size :], at + 2 + size, left - 1
    if left:
        damage.append((at, 0, left, MISSING))
    if rest:
        damage.append((at, len(rest), 0, TRAILING))
    return good, damage


def found(damage: np.ndarray) -> list[tuple[int, int, int, int]]:
    return damage[["offset", "length", "packets", "kind"]].tolist()
