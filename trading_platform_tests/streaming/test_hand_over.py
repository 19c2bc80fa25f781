import threading

from trading_platform.streaming.hand_over import ENTRY_BYTES, Arrival, Entry, HandOver


def frame(queue: HandOver, number: int, socket: int = 0, size: int = 100) -> None:
    queue.put_payload(Arrival.FRAME, socket, number, bytes(size))


def drain(queue: HandOver) -> list[Entry]:
    taken = queue.take(1 << 30, 0.0)
    queue.release(taken)
    return taken


def test_entries_come_out_in_order_and_give_their_room_back() -> None:
    queue = HandOver(10_000)
    for number in range(5):
        frame(queue, number, socket=number % 2)
    queue.put(Entry(Arrival.DISCONNECTED, 1, 9, b"lost"))
    taken = queue.take(1 << 20, 0.0)
    assert [entry.at_ns for entry in taken] == [0, 1, 2, 3, 4, 9]
    assert queue.held_bytes == 6 * ENTRY_BYTES + 504  # still ours until it is dealt with
    queue.release(taken)
    assert queue.held_bytes == 0


def test_a_full_queue_leaves_out_one_run_a_socket_and_says_where() -> None:
    queue = HandOver(10 * (ENTRY_BYTES + 100))
    for number in range(100):
        frame(queue, number, socket=number % 2)
    kept = drain(queue)
    assert [entry.at_ns for entry in kept] == list(range(10))
    frame(queue, 100, socket=0)
    frame(queue, 102, socket=0)
    frame(queue, 103, socket=1)
    after = drain(queue)
    assert [(entry.arrival, entry.socket, entry.at_ns, entry.frames) for entry in after] == [
        (Arrival.LOST, 0, 100, 45),
        (Arrival.FRAME, 0, 100, 0),
        (Arrival.FRAME, 0, 102, 0),
        (Arrival.LOST, 1, 103, 45),
        (Arrival.FRAME, 1, 103, 0),
    ]
    assert (queue.lost_frames, queue.lost_bytes) == (90, 9000)
    assert queue.peak_bytes <= queue.most_bytes


def test_nothing_is_kept_again_before_half_is_free() -> None:
    queue = HandOver(10 * (ENTRY_BYTES + 100))
    for number in range(11):
        frame(queue, number)
    queue.release(queue.take(4 * (ENTRY_BYTES + 100), 0.0))
    frame(queue, 11)
    queue.release(queue.take(1 * (ENTRY_BYTES + 100), 0.0))
    frame(queue, 12)
    assert [(entry.arrival, entry.at_ns) for entry in drain(queue)][-2:] == [(Arrival.LOST, 12), (Arrival.FRAME, 12)]
    assert queue.lost_frames == 2


def test_what_is_known_beside_payloads_is_never_left_out() -> None:
    queue = HandOver(1000)
    for number in range(50):
        frame(queue, number)
    queue.put(Entry(Arrival.DISCONNECTED, 0, 60, b"lost"))
    kinds = [entry.arrival for entry in drain(queue)]
    assert kinds[-2:] == [Arrival.LOST, Arrival.DISCONNECTED]


def test_the_last_loss_is_named_at_the_end_and_nothing_comes_after() -> None:
    queue = HandOver(1000)
    for number in range(50):
        frame(queue, number)
    queue.close()
    frame(queue, 51)
    queue.put(Entry(Arrival.CONNECTED, 0, 52))
    entries = drain(queue)
    assert (entries[-1].arrival, entries[-1].at_ns) == (Arrival.LOST, 49)
    assert queue.closed
    assert queue.late == 2


def test_who_puts_never_waits_for_who_takes() -> None:
    queue = HandOver(100_000)
    for number in range(20_000):
        frame(queue, number)  # nobody takes: one that waited would never come back
    assert sum(entry.arrival is Arrival.FRAME for entry in drain(queue)) > 0


def test_who_takes_is_woken() -> None:
    queue = HandOver(100_000)
    threading.Timer(0.05, frame, (queue, 7)).start()
    assert [entry.at_ns for entry in queue.take(1 << 20, 5.0)] == [7]
