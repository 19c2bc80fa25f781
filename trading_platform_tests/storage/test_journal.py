import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trading_platform.storage.journal import JournalReader, verify_journal
from trading_platform_tests.storage.journals import SESSION, SHARD, open_reader, open_writer, read_all

WRITER = """
import sys
from datetime import date
from pathlib import Path
from trading_platform.storage.journal import JournalWriter
writer = JournalWriter.open(Path(sys.argv[1]), "t1", date(2026, 7, 1), segment_bytes=30_000)
print("begun", flush=True)
while True:
    for _ in range(20):
        number = writer.last_number + 1
        writer.append(1, number.to_bytes(4, "little") * (number % 50), number)
    writer.flush()
    print(writer.flushed_number, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_loses_nothing_that_it_flushed(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    flushed = 0
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        for _ in range(generator.randrange(20, 200)):
            flushed = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        records = read_all(open_reader(tmp_path))
        assert len(records) >= flushed
    with open_writer(tmp_path) as writer:
        assert writer.last_number == len(records)
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert (report.torn_tail, report.damages, report.bad_content) == (0, (), ())
    reader = JournalReader(tmp_path, SHARD, SESSION)
    batch = reader.read(0, 1 << 20)
    assert all(batch.body(n - 1) == n.to_bytes(4, "little") * (n % 50) for n in batch.table["number"].tolist())
