"""What Kite does not have: the simulator's own calls, by which a test looks at it and makes it misbehave."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trading_platform.simulator.exchange.accounts import Accounts, input_refusal
from trading_platform.simulator.exchange.clock import ExchangeClock
from trading_platform.simulator.exchange.faults import FaultKind, Upstream, read_fault
from trading_platform.simulator.exchange.limits import RateLimits
from trading_platform.simulator.exchange.rest import success
from trading_platform.simulator.exchange.sockets import Sockets

_TEXT_TYPES = ("message", "error", "order")


class Control:
    """The handlers of /simulator/*; they need no token."""

    def __init__(
        self,
        sockets: Sockets,
        clock: ExchangeClock,
        *,
        accounts: Accounts,
        limits: RateLimits,
        upstream: Upstream,
        planted: Sequence[Mapping[str, Any]],
        session: Mapping[str, Any],
    ) -> None:
        self._sockets, self._clock, self._accounts, self._limits = sockets, clock, accounts, limits
        self._upstream = upstream
        self._planted, self._session = [dict(one) for one in planted], dict(session)

    def routes(self) -> list[Route]:
        """Return the paths and what answers them."""
        return [
            Route("/simulator/clock", self._show_clock, methods=["GET"]),
            Route("/simulator/clock", self._start_clock, methods=["POST"]),
            Route("/simulator/planted", self._show_planted, methods=["GET"]),
            Route("/simulator/sent", self._show_sent, methods=["GET"]),
            Route("/simulator/faults", self._show_faults, methods=["GET"]),
            Route("/simulator/faults", self._add_fault, methods=["POST"]),
            Route("/simulator/faults", self._clear_faults, methods=["DELETE"]),
            Route("/simulator/messages", self._send_text, methods=["POST"]),
        ]

    async def _show_clock(self, _request: Request) -> Response:
        left = self._accounts.seconds_left()
        return success({**self._clock.published(), **self._session, "token_seconds_left": left})

    async def _start_clock(self, _request: Request) -> Response:
        self._clock.start()
        return success(self._clock.published())

    async def _show_planted(self, _request: Request) -> Response:
        return success(self._planted)

    async def _show_sent(self, _request: Request) -> Response:
        return success({"sockets": self._sockets.ledger.published(), "refused_requests": dict(self._limits.refused)})

    async def _show_faults(self, _request: Request) -> Response:
        return success(self._sockets.fault_counts() | dict(self._upstream.counts))

    async def _add_fault(self, request: Request) -> Response:
        fault = read_fault(await _json(request))
        if fault.kind is FaultKind.BAD_UPSTREAM:
            self._upstream.turn_bad(fault)
            return success({"sockets": 0})
        return success({"sockets": self._sockets.add_fault(fault)})

    async def _clear_faults(self, request: Request) -> Response:
        self._sockets.clear_faults()
        self._upstream.clear()
        return await self._show_faults(request)

    async def _send_text(self, request: Request) -> Response:
        body = await _json(request)
        if not isinstance(body, dict) or body.get("type") not in _TEXT_TYPES or "data" not in body:
            raise input_refusal(f"a message is an object with type ({', '.join(_TEXT_TYPES)}), data, and maybe socket")
        chosen = [one for number, one in self._sockets.open.items() if body.get("socket") in {None, number}]
        for socket in chosen:
            await socket.send_text(body["type"], body["data"])
        return success({"sockets": len(chosen)})


async def _json(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise input_refusal("the body is not JSON") from None
