"""Kite's REST calls, answered in its JSON and with its statuses."""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.clock import from_ns
from trading_platform.simulator.exchange.accounts import USER_ID, Accounts, input_refusal, token_refusal
from trading_platform.simulator.exchange.clock import ExchangeClock
from trading_platform.simulator.exchange.faults import Upstream
from trading_platform.simulator.exchange.history import Asked, History
from trading_platform.simulator.exchange.limits import RateLimits
from trading_platform.simulator.exchange.quotes import Quotes

Answer = Callable[[Request], Any]
Handler = Callable[[Request], Awaitable[Response]]

_MOST_BODY_BYTES = 1 << 16


class Rest:
    """The handlers of all REST calls; `dumps` holds the instruments as CSV by exchange, all of them under ""."""

    def __init__(
        self,
        accounts: Accounts,
        clock: ExchangeClock,
        *,
        quotes: Quotes,
        history: History,
        dumps: Mapping[str, bytes],
        limits: RateLimits | None = None,
    ) -> None:
        self._accounts, self._clock, self._quotes, self._history = accounts, clock, quotes, history
        self.limits = limits or RateLimits()
        self.upstream = Upstream()
        self._dumps = {exchange: gzip.compress(content, mtime=0) for exchange, content in dumps.items()}
        self._exchanges = sorted(exchange for exchange in dumps if exchange)

    def routes(self) -> list[Route]:
        """Return the paths and what answers them; the longer ones first, so that none hides another."""
        get = ["GET"]
        return [
            Route("/connect/login", self._login_page, methods=get),
            Route("/session/token", self._log_in, methods=["POST"]),
            Route("/session/token", self._log_out, methods=["DELETE"]),
            Route("/user/profile", self._authorized("other", self._profile), methods=get),
            Route("/instruments/historical/{token}/{interval}", self._authorized("historical", self._candles)),
            Route("/instruments/{exchange}", self._authorized("other", self._instruments), methods=get),
            Route("/instruments", self._authorized("other", self._instruments), methods=get),
            Route("/quote/ohlc", self._authorized("quote", self._ohlc), methods=get),
            Route("/quote/ltp", self._authorized("quote", self._ltp), methods=get),
            Route("/quote", self._authorized("quote", self._quote), methods=get),
        ]

    def _authorized(self, kind: str, answer: Answer) -> Handler:
        async def handle(request: Request) -> Response:
            scheme, _, pair = request.headers.get("authorization", "").partition(" ")
            api_key, _, access_token = pair.partition(":")
            if scheme != "token":
                raise token_refusal("Incorrect `api_key` or `access_token`.")
            self._accounts.authorize(api_key, access_token)
            self.limits.ask(kind)
            self.upstream.ask()
            # candles may have to make a whole session first, which must not hold up the sockets
            given = await run_in_threadpool(answer, request) if kind == "historical" else answer(request)
            return given if isinstance(given, Response) else success(given)

        return handle

    async def _login_page(self, request: Request) -> Response:
        token = self._accounts.request_token(request.query_params.get("api_key", ""))
        target = f"http://127.0.0.1/?action=login&status=success&request_token={token}"
        return RedirectResponse(target, status_code=302)

    async def _log_in(self, request: Request) -> Response:
        given = await _form(request)
        missing = [name for name in ("api_key", "request_token", "checksum") if name not in given]
        if missing:
            raise input_refusal(f"Missing or empty field `{missing[0]}`")
        login = self._accounts.log_in(given["api_key"], given["request_token"], given["checksum"])
        return success(
            {
                **self._person(),
                "api_key": given["api_key"],
                "access_token": login.access_token,
                "public_token": login.access_token[::-1],
                "enctoken": "",
                "refresh_token": "",
                "silo": "",
                "login_time": f"{from_ns(login.at_ns):%Y-%m-%d %H:%M:%S}",
            }
        )

    async def _log_out(self, request: Request) -> Response:
        query = request.query_params
        self._accounts.log_out(query.get("api_key", ""), query.get("access_token", ""))
        return success(True)  # noqa: FBT003  # it is the whole body

    def _profile(self, _request: Request) -> dict[str, Any]:
        return self._person()

    def _person(self) -> dict[str, Any]:
        return {
            "user_id": USER_ID,
            "user_type": "individual",
            "email": "simulator@localhost",
            "user_name": "Simulated User",
            "user_shortname": "Simulated",
            "broker": "ZERODHA",
            "exchanges": self._exchanges,
            "products": ["CNC", "NRML", "MIS"],
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
            "avatar_url": None,
            "meta": {"demat_consent": "physical"},
        }

    def _instruments(self, request: Request) -> Response:
        content = self._dumps.get(request.path_params.get("exchange", ""))
        if content is None:
            raise input_refusal(f"no instruments of that exchange; there are {', '.join(self._exchanges)}")
        # without a charset behind it: the JavaScript client compares the whole header
        return Response(content, headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"})

    def _quote(self, request: Request) -> dict[str, Any]:
        return self._quotes.full(request.query_params.getlist("i"), self._clock.now_second())

    def _ohlc(self, request: Request) -> dict[str, Any]:
        return self._quotes.ohlc(request.query_params.getlist("i"), self._clock.now_second())

    def _ltp(self, request: Request) -> dict[str, Any]:
        return self._quotes.ltp(request.query_params.getlist("i"), self._clock.now_second())

    def _candles(self, request: Request) -> dict[str, Any]:
        query, path = request.query_params, request.path_params
        asked = Asked(
            token=path["token"],
            interval=path["interval"],
            begin=query.get("from", ""),
            end=query.get("to", ""),
            continuous=query.get("continuous", "0"),
            oi=query.get("oi", "0"),
        )
        return {"candles": self._history.candles(asked, self._clock.now_second())}


def success(data: Any) -> Response:
    """Return an answer in Kite's envelope."""
    return Response(orjson.dumps({"status": "success", "data": data}), media_type="application/json")


def failure(message: str, *, status: int, error_type: str) -> Response:
    """Return an error in Kite's envelope."""
    body = {"status": "error", "message": message, "data": None, "error_type": error_type}
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


async def refused(_request: Request, error: Exception) -> Response:
    """Answer a refusal of ours."""
    if not isinstance(error, ExchangeRefusal):
        raise error
    return failure(str(error), status=error.status, error_type=error.error_type)


async def not_found(_request: Request, error: Exception) -> Response:
    """Answer a path or method that is not there."""
    if not isinstance(error, HTTPException):
        raise error
    return failure("Route not found", status=error.status_code, error_type="GeneralException")


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BODY_BYTES:
            raise input_refusal("the body is too long")
    try:
        fields = parse_qs(body.decode("ascii"))
    except UnicodeDecodeError:
        raise input_refusal("the body is not a form") from None
    return {name: values[0] for name, values in fields.items()}
