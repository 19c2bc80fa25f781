"""The journal, the only truth of the platform: its writer, its reader and its verification under one name."""

from trading_platform.storage.journal_reader import JournalReader
from trading_platform.storage.journal_report import JournalReport, verify_journal
from trading_platform.storage.journal_segments import Damage, journal_folder, journal_sessions, require_writable
from trading_platform.storage.journal_writer import JournalWriter

__all__ = [
    "Damage",
    "JournalReader",
    "JournalReport",
    "JournalWriter",
    "journal_folder",
    "journal_sessions",
    "require_writable",
    "verify_journal",
]
