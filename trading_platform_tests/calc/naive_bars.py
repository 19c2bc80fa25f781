"""The bar rules of the architecture page in plain Python, written from the page: slow, obvious, nothing imported.

One reader of events: ("beat", received), ("frame", received, packets), ("away", received, since), ("back", received),
("gap", received, since, until); a packet is (token, price, day volume or None, exchange second or None). Everything is
counted in whole seconds.
"""

import math
from dataclasses import dataclass, field
from typing import Any

SNAPSHOT, GAP, RECEIVE_TIME, REVISED, VOLUME_FELL, NO_VOLUME, AFTER_GAP, GAP_AGAIN = 1, 2, 4, 8, 16, 32, 64, 256
Packet = tuple[int, float, int | None, int | None]
Row = tuple[Any, ...]


@dataclass
class Minute:
    """What came in one minute of one instrument."""

    packets: list[tuple[int, int, float]] = field(default_factory=list)  # second, volume or -1, price
    flags: int = 0
    kind: int = -1
    volume: float | None = None
    revision: int = 0
    closed: bool = False

    def prices(self) -> tuple[float, float, float, float]:
        in_order = sorted(self.packets, key=lambda packet: packet[:2])
        every = [packet[2] for packet in in_order]
        return every[0], max(every), min(every), every[-1]


@dataclass
class Book:
    """One instrument."""

    minutes: dict[int, Minute] = field(default_factory=dict)
    longer_closed: dict[int, int] = field(default_factory=dict)  # start minute -> revision
    longer_flags: dict[int, int] = field(default_factory=dict)
    longer_written: dict[int, int] = field(default_factory=dict)  # start minute -> flags of the row
    longer_late: set[int] = field(default_factory=set)  # those that a packet revised
    from_zero: bool = True
    highest: int | None = None  # day's volume
    placed: int = 0  # of it, what stands in a bar or is counted elsewhere
    newest: tuple[int, float, int | None] | None = None  # second, price, volume
    gaps: list[list[float]] = field(default_factory=list)
    after_gap: bool = False


class NaiveSession:
    """Feeds events, keeps the rows of bars in the order in which they were written."""

    def __init__(self, tokens: list[int], phases: list[tuple[int, int, int]], midnight: int, from_zero: bool) -> None:
        self.books = {token: Book(from_zero=from_zero) for token in tokens}
        self.phases, self.midnight = phases, midnight
        self.rows: list[Row] = []
        self.watermark = -(10**12)
        self.newest_exchange = 0
        self.received = 0
        self.next_minute = midnight // 60
        self.counts = dict.fromkeys(
            [
                "unknown_token",
                "previous_session",
                "clock_ahead",
                "no_price",
                "duplicates",
                "reordered",
                "volume_fell",
                "outside_phases",
                "late",
                "revisions",
                "late_volume",
                "outside_volume",
                "snapshot_volume",
            ],
            0,
        )

    def feed(self, event: tuple[Any, ...]) -> None:
        self.received = max(self.received, math.floor(event[1]))
        if event[0] == "away":
            self.name_gap(event[2], math.inf)
        elif event[0] == "gap":
            self.name_gap(event[2], event[3])
        elif event[0] == "back":
            for book in self.books.values():
                book.gaps = [[start, event[1] if end == math.inf else end] for start, end in book.gaps]
        self.move(math.floor(event[1] - 5))
        # a stamp ahead of our clock is believed as far as our clock has come, which moves with each record
        self.move(min(self.newest_exchange, self.received) - 2)
        if event[0] == "frame":
            for packet in event[2]:
                self.take(*packet)
        self.move(min(self.newest_exchange, self.received) - 2)

    def name_gap(self, since: float, until: float) -> None:
        since -= 2  # packets come up to two seconds late: those of just before the last one are lost too
        for book in self.books.values():
            book.gaps.append([since, until])
            book.after_gap = True
        first = math.floor(since / 60)
        self.begin_again(first)
        for number in range(first, self.next_minute):
            for token, book in self.books.items():
                minute = book.minutes.get(number)
                if minute and minute.closed and self.gap_flag(book, number, 1) & ~minute.flags:
                    minute.flags |= GAP
                    minute.revision += 1
                    if minute.kind >= 0:
                        self.write(token, 1, number, minute)
        for start in range(first // 5 * 5, self.next_minute - 4, 5):
            for token, book in self.books.items():
                if self.gap_flag(book, start, 5) & ~book.longer_written.get(start, GAP):
                    book.longer_flags[start] |= GAP
                    book.longer_closed[start] += 1
                    self.write_longer(book, token, start)

    def begin_again(self, first: int) -> None:
        """A gap that begins where an earlier one's volume came: the bar holds that, but not what is lost now."""
        every = [(number, token) for token, book in self.books.items() for number in book.minutes if number >= first]
        for number, token in sorted(every, key=lambda one: one[0]):
            minute = self.books[token].minutes[number]
            if minute.flags & AFTER_GAP:
                minute.flags = minute.flags & ~AFTER_GAP | GAP_AGAIN
                minute.revision += minute.closed
                if minute.closed and minute.kind >= 0:
                    self.write(token, 1, number, minute)

    def finish(self) -> None:
        open_minutes = [m for book in self.books.values() for m, minute in book.minutes.items() if not minute.closed]
        last = max(open_minutes, default=self.next_minute - 1)
        started = [m // 5 * 5 + 4 for book in self.books.values() for m in book.minutes]
        self.move((max([last, *started]) + 1) * 60)

    def phase(self, second: int) -> int:
        return next((kind for kind, start, end in self.phases if start <= second < end), -1)

    def take(self, token: int, price: float, volume: int | None, stamp: int | None) -> None:
        if token not in self.books:
            self.counts["unknown_token"] += 1
            return
        if price == 0:
            self.counts["no_price"] += 1
            return
        second, flags = stamp, 0
        if stamp is None or stamp > self.received + 60:
            self.counts["clock_ahead"] += stamp is not None
            second, flags = self.received, RECEIVE_TIME
        assert second is not None
        if second < self.midnight:
            self.counts["previous_session"] += 1
            return
        if not flags:
            self.newest_exchange = max(self.newest_exchange, second)
        if flags and self.phase(second) < 0:
            self.counts["outside_phases"] += 1
            return
        self.place(self.books[token], token, (second, price, volume), flags)

    def place(self, book: Book, token: int, packet: tuple[int, float, int | None], flags: int) -> None:
        second, price, volume = packet
        seen_as = (second, price, book.highest if volume is None else volume)
        if not flags and book.newest and seen_as == (*book.newest[:2], book.highest):
            self.counts["duplicates"] += 1
            return
        not_newer = False
        if volume is not None:
            if book.highest is None and not book.from_zero:
                flags |= SNAPSHOT
                book.placed = volume
                self.counts["snapshot_volume"] += volume
            elif volume < (book.highest or 0):
                not_newer = book.newest is not None and second <= book.newest[0]
                self.counts["reordered" if not_newer else "volume_fell"] += 1
                flags |= 0 if not_newer else VOLUME_FELL
            book.highest = max(book.highest or 0, volume)
            flags |= GAP | AFTER_GAP if book.after_gap else 0
            book.after_gap = False
        if book.newest is None or second > book.newest[0] or (second == book.newest[0] and not not_newer):
            book.newest = packet
        self.put_into_bar(book, token, packet, flags)

    def put_into_bar(self, book: Book, token: int, packet: tuple[int, float, int | None], flags: int) -> None:
        second, price, volume = packet
        number, kind = second // 60, self.phase(second)
        self.counts["outside_phases"] += kind < 0
        if number < self.next_minute and (kind < 0 or self.watermark - (number + 1) * 60 > 30):
            grown = 0 if volume is None else max(0, volume - book.placed)
            book.placed += grown
            self.counts["late_volume" if kind >= 0 else "outside_volume"] += grown
            self.counts["late"] += kind >= 0
            return
        minute = book.minutes.setdefault(number, Minute())
        minute.kind = kind
        minute.packets.append((second, -1 if volume is None else volume, price))
        minute.flags |= flags
        if number < self.next_minute:
            self.revise(book, token, number)

    def settle(self, book: Book, number: int) -> None:
        minute = book.minutes[number]
        top = max(packet[1] for packet in minute.packets)
        if top >= 0:
            grown = max(0, top - book.placed)
            book.placed += grown
            minute.volume = (minute.volume or 0) + grown
        minute.flags |= self.gap_flag(book, number, 1)

    def gap_flag(self, book: Book, number: int, length: int) -> int:
        return GAP if any(s < (number + length) * 60 and e > number * 60 for s, e in book.gaps) else 0

    def revise(self, book: Book, token: int, number: int) -> None:
        self.counts["revisions"] += 1
        minute = book.minutes[number]
        self.settle(book, number) if not minute.closed else self.settle_again(book, number)
        minute.closed = True
        minute.revision += 1
        minute.flags |= REVISED
        self.write(token, 1, number, minute)
        start = number // 5 * 5
        if minute.kind == 0 and start + 5 <= self.next_minute:
            if start not in book.longer_closed:
                book.longer_flags[start] = self.gap_flag(book, start, 5)
            book.longer_closed[start] = book.longer_closed.get(start, 0) + 1
            book.longer_late.add(start)
            self.write_longer(book, token, start)

    def settle_again(self, book: Book, number: int) -> None:
        kept = book.gaps
        book.gaps = []  # a bar is judged against gaps when it closes
        self.settle(book, number)
        book.gaps = kept

    def move(self, watermark: int) -> None:
        self.watermark = max(self.watermark, watermark)
        while (self.next_minute + 1) * 60 <= self.watermark:
            number = self.next_minute
            for token, book in self.books.items():
                self.close(book, token, number)
            if (number + 1) % 5 == 0:
                for token, book in self.books.items():
                    self.close_longer(book, token, number - 4)
            self.next_minute += 1

    def close(self, book: Book, token: int, number: int) -> None:
        minute = book.minutes.get(number)
        if minute is None or minute.closed:
            return
        self.settle(book, number)
        minute.closed = True
        if minute.kind < 0:
            self.counts["outside_volume"] += int(minute.volume or 0)
        else:
            self.write(token, 1, number, minute)

    def close_longer(self, book: Book, token: int, start: int) -> None:
        if self.parts(book, start):
            book.longer_flags[start] = self.gap_flag(book, start, 5)
            book.longer_closed[start] = 0
            self.write_longer(book, token, start)

    def parts(self, book: Book, start: int) -> list[Minute]:
        found = (book.minutes.get(number) for number in range(start, start + 5))
        return [minute for minute in found if minute is not None and minute.closed and minute.kind == 0]

    def write(self, token: int, length: int, number: int, minute: Minute) -> None:
        flags = minute.flags | (NO_VOLUME if minute.volume is None else 0)
        ticks = len(minute.packets)
        self.rows.append(
            (token, length, number * 60, minute.kind, minute.revision, *minute.prices(), minute.volume, ticks, flags)
        )

    def write_longer(self, book: Book, token: int, start: int) -> None:
        parts = self.parts(book, start)
        prices = [part.prices() for part in parts]
        volumes = [part.volume for part in parts if part.volume is not None]
        flags = book.longer_flags[start]
        for part in parts:
            flags |= part.flags & ~GAP_AGAIN | (AFTER_GAP if part.flags & GAP_AGAIN else 0)
        revision = book.longer_closed[start]
        flags |= REVISED if start in book.longer_late else 0
        flags |= 0 if volumes else NO_VOLUME
        book.longer_written[start] = flags
        folded = (prices[0][0], max(p[1] for p in prices), min(p[2] for p in prices), prices[-1][3])
        ticks = sum(len(part.packets) for part in parts)
        volume = sum(volumes) if volumes else None
        self.rows.append((token, 5, start * 60, 0, revision, *folded, volume, ticks, flags))
