"""Every error that this platform raises on purpose; each message names what is wrong and says what to do."""


class PlatformError(Exception):
    """Base of all errors that are ours: catch it at an entry point, print its message, exit non-zero."""


class SettingsError(PlatformError):
    """A setting is missing or has a value that cannot be used."""


class UnknownSessionDate(PlatformError):
    """A date or year that the session table does not cover."""


class NoSessionError(PlatformError):
    """A covered date on which the exchange is closed."""


class BadFileError(PlatformError):
    """An input file as a whole cannot be used; single broken rows are set aside instead."""


class BlockFormatError(PlatformError):
    """A packed block that does not parse: wrong magic, kind, version, size or column type."""


class PacketError(PlatformError):
    """A tick that cannot be said in the words of a Kite packet."""


class JournalError(PlatformError):
    """Base of what can go wrong with the journal."""


class JournalLocked(JournalError):
    """Another process writes this journal."""


class JournalExists(JournalError):
    """A session that is to be played has a journal already; journals are never overwritten."""


class JournalChanged(JournalError):
    """The journal of a session is not the one that was read before."""


class SessionIsClosed(JournalError):
    """A record that would stand after the one that closed the session."""


class JournalDamaged(JournalError):
    """A record or segment that fails its checksum, or a gap in the numbers."""


class JournalWriteFailed(JournalError):
    """A write or sync was refused by the file system (disk full, read-only)."""


class RecordFormatError(JournalError):
    """A journal record or the body of a control record that cannot be written down or read."""


class MissingBlob(JournalError):
    """A control record names content that is not beside the segments."""


class StoreUnavailable(PlatformError):
    """Redis or Valkey refuses, is too old, or runs with a policy that may lose data."""


class StoreRefused(StoreUnavailable):
    """The server refuses for good: a wrong password, a missing right, or a key that holds something else."""


class LakeError(PlatformError):
    """A lake table is missing, locked, or holds what it must not."""


class EngineError(PlatformError):
    """The engine met input that it must not guess about."""


class EngineIsRunning(EngineError):
    """Another process is the engine of this shard and session."""


class StateNotWritten(PlatformError):
    """The file system refused a state file of the engine; the journal holds all that it would have saved."""


class MissingInput(PlatformError):
    """A calculation lacks something that another step has to make first."""


class InstrumentError(PlatformError):
    """An instrument that the day's dump does not know, knows twice, or that this platform does not support."""


class UniverseError(PlatformError):
    """Subscription rules that contradict themselves or ask for more than the sockets carry."""


class BrokerError(PlatformError):
    """Kite refuses a request, cannot be reached, or no credentials are set."""


class AccessRefused(BrokerError):
    """Kite refuses the access token, or what is asked for with it: another login or subscription helps, waiting may."""


class LoginDamaged(BrokerError):
    """The file of the kept login cannot be read or written, or others can read it."""


class RequestRefused(BrokerError):
    """Kite refuses what a request asks for; asking the same again does not help."""


class BackfillRunning(BrokerError):
    """Another process backfills into the same lake."""


class FeedError(PlatformError):
    """The feed lacks what it needs, or a part of it ended that must not."""


class CannotStart(PlatformError):
    """What has to be mended before the platform can start, all of it, each with what to do."""


class NotRunning(PlatformError):
    """No supervisor answers in this data folder."""


class DagsterSilent(PlatformError):
    """Dagster's webserver does not say how its daemons are; the process or its storage is asked instead."""


class SupervisorFailed(PlatformError):
    """The supervisor refuses or does not answer as it should."""


class ChildFailed(PlatformError):
    """A process that we started ended badly; the message holds the end of its log."""


class BadQuestion(PlatformError):
    """A question about an instrument that names a symbol, session, time or pattern that there is not."""


class CannotLook(PlatformError):
    """Something whose health was asked for cannot be read."""


class TookTooLong(PlatformError):
    """Something that was waited for did not happen within its limit."""


class BackupError(PlatformError):
    """A backup cannot be made, read or restored."""


class BackupRunning(BackupError):
    """Another process makes or removes backups in the same folder."""


class HalfBackup(BackupError):
    """A backup that was never finished: half a backup is none."""


class BackupDamaged(BackupError):
    """A backup whose files are not what its manifest says."""


class ExchangeRefusal(PlatformError):
    """The simulated exchange refuses a request; the client reads why in Kite's own words for it."""

    def __init__(self, message: str, *, status: int, error_type: str) -> None:
        super().__init__(message)
        self.status, self.error_type = status, error_type


class MigrationRefused(PlatformError):
    """A migration that must not begin or go on: wrong servers, an unknown layout, files of another migration."""


class MigrationLocked(MigrationRefused):
    """Another process works on this migration."""


class MigrationFileDamaged(MigrationRefused):
    """The plan or the ledger of a migration fails its checksums."""


class BadKeyPattern(PlatformError):
    """A pattern of legacy keys that cannot be read in one way."""


class AmbiguousRules(PlatformError):
    """Two rules of a legacy layout that could take the same key."""


class UndecodableValue(PlatformError):
    """A legacy value that is not what its family should hold; the message names the field."""
