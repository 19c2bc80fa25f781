"""All patterns by number and name: what they are called, which version, what their features mean."""

from dataclasses import dataclass

from trading_platform.calc.patterns import breakout, volume_spike, vwap_cross
from trading_platform.calc.patterns.inputs import ConditionName


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a reader of signals has to know of a pattern."""

    number: int
    name: str
    version: int
    features: tuple[str, ...]
    sides: tuple[int, ...]
    conditions: tuple[ConditionName, ...]


PATTERNS: dict[int, Declaration] = {
    module.NUMBER: Declaration(
        module.NUMBER, module.NAME, module.VERSION, module.FEATURES, module.SIDES, module.CONDITIONS
    )
    for module in (volume_spike, breakout, vwap_cross)
}
