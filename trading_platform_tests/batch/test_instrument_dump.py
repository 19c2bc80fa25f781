import csv
import gzip
import io
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kiteconnect import KiteConnect

from trading_platform.batch.dump_file import DumpText
from trading_platform.batch.instrument_dump import (
    DUMP_SCHEMA,
    Dump,
    day_of,
    dump_csv,
    instruments_of,
    parse_dump,
    read_dump,
    rejected_csv,
    rows_csv,
    rows_of,
)
from trading_platform.errors import BadFileError, InstrumentError
from trading_platform.market.instrument_rows import KITE_COLUMNS
from trading_platform.market.instruments import Instrument
from trading_platform.market.synthetic_tokens import assign_tokens

DATA = Path(__file__).parents[2].parent / "shared" / "data"
REAL_FILES = sorted([*DATA.glob("instruments/*.csv.gz"), *DATA.glob("kite-mocks/instruments_*.csv")])

HEADER = ",".join(KITE_COLUMNS).encode()
INDEX = b'293641,1147,MCXAGRI,MCXAGRI,0,"",0,0,1,EQ,INDICES,MCX'
CASH = b'408065,1594,INFY,"INFOSYS, LTD",0.0,,0.0,0.05,1,EQ,NSE,NSE'
OPTION = b"15108866,59019,ABB23FEB3050CE,ABB,21.5,2023-02-23,3050,0.05,250,CE,NFO-OPT,NFO"
OLD_FUTURE = b"12378626,48354,NIFTY17JANFUT,,31.0,2017-01-25,-0.01,0.05,75,FUT,NFO-FUT,NFO"
GOOD = (INDEX, CASH, OPTION, OLD_FUTURE)

BROKEN = {
    "wrong_field_count": b"1,2,3",
    "not_a_number": OPTION.replace(b"3050,", b"3o50,"),
    "out_of_range": OPTION.replace(b"15108866", b"-15108866"),
    "negative_lot": OPTION.replace(b",250,", b",-250,"),
    "bad_date": OPTION.replace(b"2023-02-23", b"2023-02-29"),
    "empty_symbol": OPTION.replace(b"ABB23FEB3050CE", b""),
    "bad_utf8": OPTION.replace(b",ABB,", b",\xc3,"),
    "control_character": OPTION.replace(b",ABB,", b",A\0B,"),
    "unterminated_quote": OPTION.replace(b",ABB,", b',"ABB,'),
    "bad_quote": OPTION.replace(b",ABB,", b',"A"BB,'),
}


def parsed(*lines: bytes, end: bytes = b"\n") -> Dump:
    return parse_dump(DumpText(end.join((HEADER, *lines, b""))), name="test")


def test_rows_are_typed_and_in_order() -> None:
    dump = parsed(*GOOD)
    assert dict(dump.rows.schema) == DUMP_SCHEMA
    assert dump.rows.rows() == [
        (293641, 1147, "MCXAGRI", "MCXAGRI", 0.0, None, 0.0, 0.0, 1, "EQ", "INDICES", "MCX"),
        (408065, 1594, "INFY", "INFOSYS, LTD", 0.0, None, 0.0, 0.05, 1, "EQ", "NSE", "NSE"),
        (15108866, 59019, "ABB23FEB3050CE", "ABB", 21.5, date(2023, 2, 23), 3050.0, 0.05, 250, "CE", "NFO-OPT", "NFO"),
        (12378626, 48354, "NIFTY17JANFUT", "", 31.0, date(2017, 1, 25), -0.01, 0.05, 75, "FUT", "NFO-FUT", "NFO"),
    ]
    assert (dump.rejected, dump.notes, dump.damage, dump.blank_lines) == ((), {}, None, 0)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_make_no_difference(end: bytes) -> None:
    assert parsed(*GOOD, end=end).rows.equals(parsed(*GOOD).rows)


def test_a_last_row_without_line_end_and_a_byte_order_mark() -> None:
    dump = parse_dump(DumpText(b"\xef\xbb\xbf" + HEADER + b"\n" + CASH), name="test")
    assert dump.rows["tradingsymbol"].to_list() == ["INFY"]


def test_blank_lines_are_counted_and_are_no_rows() -> None:
    dump = parsed(CASH, b"", INDEX, b"", b"")
    assert (dump.rows_in, dump.blank_lines, dump.rejected) == (2, 3, ())


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_row_keeps_its_neighbours(reason: str) -> None:
    dump = parsed(CASH, INDEX, BROKEN[reason], OPTION)
    assert dump.rows.equals(parsed(CASH, INDEX, OPTION).rows)
    assert [(one.line, str(one.fault.reason), one.raw) for one in dump.rejected] == [(4, reason, BROKEN[reason])]
    assert dump.rows_in == 4


@given(st.lists(st.sampled_from([*GOOD, *BROKEN.values(), b""]), max_size=30))
def test_every_row_is_accounted_for(lines: list[bytes]) -> None:
    dump = parsed(*lines)
    good = [line for line in lines if line in GOOD]
    bad = [(number, line) for number, line in enumerate(lines, start=2) if line in BROKEN.values()]
    assert dump.rows.equals(parsed(*good).rows)
    assert [(one.line, one.raw) for one in dump.rejected] == bad
    assert dump.blank_lines == lines.count(b"")
    assert dump.rows_in == len(good) + len(bad) == len(dump.rows) + sum(dump.reasons.values())


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_set_aside(content: bytes) -> None:
    dump = parse_dump(DumpText(HEADER + b"\n" + content), name="test")
    lines = content.split(b"\n")
    assert dump.rows_in + dump.blank_lines == len(lines) - (not lines[-1])


def test_odd_rows_are_kept_and_their_lines_named() -> None:
    wrong_token = CASH.replace(b"408065", b"408066").replace(b"INFY", b"OTHER")
    unknown = CASH.replace(b"NSE,NSE", b"MARS,MARS").replace(b"408065", b"408067")
    dump = parsed(CASH, wrong_token, unknown, CASH)
    assert len(dump.rows) == 4
    assert dump.notes == {
        "token_mismatch": (3,),
        "unknown_segment": (4,),
        "repeated_token": (5,),
        "repeated_key": (5,),
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        CASH,
        HEADER.replace(b",lot_size", b""),
        HEADER + b",expiry",
        HEADER.replace(b"name", b'"name'),
        b"<html><body>Too many requests</body></html>",
    ],
)
def test_a_file_without_kites_header_is_refused(content: bytes) -> None:
    with pytest.raises(BadFileError, match="the morning"):
        parse_dump(DumpText(content), name="the morning")


def test_a_dump_of_no_rows_is_empty_and_typed() -> None:
    assert dict(parsed().rows.schema) == DUMP_SCHEMA
    assert parsed().rows_in == 0


def test_columns_are_found_by_name_and_unknown_ones_are_named() -> None:
    shuffled = list(reversed(KITE_COLUMNS))
    values = list(reversed(next(csv.reader([CASH.decode()]))))
    text = io.StringIO()
    csv.writer(text).writerows([[*shuffled, "isin"], [*values, "INE009A01021"]])
    dump = parse_dump(DumpText(text.getvalue().encode()), name="test")
    assert dump.rows.equals(parsed(CASH).rows)
    assert dump.unknown_columns == ("isin",)


def test_the_line_that_a_cut_runs_through_is_set_aside_even_if_it_reads_well() -> None:
    content = b"\n".join((HEADER, INDEX, OPTION[:-1]))
    dump = parse_dump(DumpText(content, "gzip ends early", cut=True), name="test")
    assert dump.rows["tradingsymbol"].to_list() == ["MCXAGRI"]
    assert [(one.line, str(one.fault.reason)) for one in dump.rejected] == [(3, "truncated")]


def test_a_cut_between_two_lines_loses_no_row_that_came() -> None:
    dump = parse_dump(DumpText(b"\n".join((HEADER, INDEX, b"")), "gzip ends early", cut=True), name="test")
    assert (len(dump.rows), dump.rejected, dump.damage) == (1, (), "gzip ends early")


def test_damage_is_named_where_it_took_the_header() -> None:
    with pytest.raises(BadFileError, match="gzip ends early"):
        parse_dump(DumpText(HEADER[:20], "gzip ends early", cut=True), name="test")


def test_rejected_lines_are_written_so_that_they_can_be_read() -> None:
    dump = parsed(BROKEN["bad_utf8"], BROKEN["unterminated_quote"])
    rows = list(csv.DictReader(io.StringIO(rejected_csv(dump.rejected).decode())))
    assert [(row["line"], row["reason"]) for row in rows] == [("2", "bad_utf8"), ("3", "unterminated_quote")]
    assert rows[0]["raw"] == BROKEN["bad_utf8"].decode("utf-8", errors="backslashreplace")
    assert rows[1]["raw"].encode() == BROKEN["unterminated_quote"]


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
made_instruments = st.builds(
    Instrument,
    token=st.integers(0, 2**32 - 1),
    exchange_token=st.integers(0, 2**32 - 1),
    tradingsymbol=words.filter(str.strip),
    name=words,
    expiry=st.none() | st.dates(),
    strike=st.floats(allow_nan=False, allow_infinity=False),
    tick_size=st.floats(allow_nan=False, allow_infinity=False),
    lot_size=st.integers(0, 2**63 - 1),
    instrument_type=words,
    segment=words,
    exchange=words,
)


@settings(max_examples=60)
@given(st.lists(made_instruments, max_size=8))
def test_what_is_written_reads_back_equal(instruments: list[Instrument]) -> None:
    dump = parse_dump(DumpText(dump_csv(instruments)), name="test")
    assert list(instruments_of(dump.rows)) == instruments
    assert dump.rejected == ()


def test_made_instruments_are_written_as_kite_writes_them() -> None:
    content = dump_csv(assign_tokens([("M&M", False), ("NIFTY 50", True)]))
    lines = content.decode().splitlines()
    assert lines[0] == HEADER.decode()
    assert lines[1].endswith(",M&M,M&M,0.0,,0.0,0.05,1,EQ,NSE,NSE")
    assert lines[2].endswith(",NIFTY 50,NIFTY 50,0.0,,0.0,0.05,1,EQ,INDICES,NSE")


@pytest.mark.parametrize("symbol", ["", "TWO\nLINES", "A\0B"])
def test_what_a_line_cannot_hold_is_not_written(symbol: str) -> None:
    rows = rows_of(assign_tokens([("INFY", False)])).with_columns(tradingsymbol=pl.lit(symbol))
    with pytest.raises(BadFileError, match="cannot be written"):
        rows_csv(rows)


def test_what_no_column_can_hold_is_refused_by_name() -> None:
    good = assign_tokens([("INFY", False)])[0]
    too_large = Instrument(2**32, *[getattr(good, name) for name in Instrument.__slots__[1:]])
    with pytest.raises(InstrumentError):
        rows_of([too_large])


def test_a_day_is_made_of_rows_and_refuses_a_repeated_token() -> None:
    session = date(2026, 7, 1)
    assert day_of(session, parsed(CASH, INDEX).rows).with_key("MCX:MCXAGRI").token == 293641
    with pytest.raises(InstrumentError, match="408065"):
        day_of(session, parsed(CASH, INDEX, CASH).rows)


def official(content: bytes) -> list[tuple[object, ...]]:
    """Return what the broker's own client makes of a dump, in our order and with null for no expiry."""
    rows = KiteConnect(api_key="test")._parse_instruments(content)
    typed = [{**row, "exchange_token": int(row["exchange_token"]), "expiry": row["expiry"] or None} for row in rows]
    return [tuple(row[column] for column in KITE_COLUMNS) for row in typed]


def test_good_rows_are_what_the_official_client_makes_of_them() -> None:
    assert parsed(*GOOD).rows.rows() == official(b"\n".join((HEADER, *GOOD)))


def generated_dump(folder: Path) -> Path:
    """Write a packed dump of the shape of a real one: quoted names, empty expiries, whole and broken numbers."""
    lines = [
        b'%d,%d,NAME%d%dCE,"NAME %d, LTD",%.2f,%s,%d%s,0.05,%d,CE,NFO-OPT,NFO'
        % (at * 256 + 2, at, at % 90, at, at, at / 7, [b"2026-07-28", b"", b'""'][at % 3], at, [b"", b".5"][at % 2], at)
        for at in range(3000)
    ]
    path = folder / "generated.csv.gz"
    path.write_bytes(gzip.compress(b"\r\n".join((HEADER, *lines, b""))))
    return path


@pytest.mark.parametrize("real", [None, *REAL_FILES], ids=lambda path: path.name if path else "generated")
def test_whole_dumps_are_read_as_the_official_client_reads_them(real: Path | None, tmp_path: Path) -> None:
    path = real or generated_dump(tmp_path)
    raw = path.read_bytes()
    content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    dump = read_dump(path)
    assert dump.rejected == ()
    assert len(dump.rows) == len(content.splitlines()) - 1
    assert dump.notes.keys() <= {"repeated_token", "repeated_key"}
    assert dump.rows.rows() == official(content)
    assert parse_dump(DumpText(rows_csv(dump.rows)), name="again").rows.equals(dump.rows)
