"""Schema of ``audiosearch.db``, as migrations. Each adds a table, its triggers or a column.

Migrations are frozen: indexes exist that have them. A change of the schema is a new migration.
``tests/schemas`` holds what each one creates, and indexes that former versions made.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from sqlite_utils import Database, Migrations

if TYPE_CHECKING:
    from collections.abc import Iterable

migrations = Migrations("audiosearch")

#: Newest table that must exist before a database can be read. Whatever later migrations add may be
#: missing until something is written.
LAST_TABLE = "positions"

#: Migrations that former versions applied, and that `m011_mend_former_schemas` undoes.
_WITHDRAWN = {"m006_create_texts"}


def unknown_migrations(names: Iterable[str]) -> list[str]:
    """Return those names of applied migrations that this version doesn't know."""
    known = {migration.name for migration in migrations.pending(Database(memory=True))}
    return [name for name in names if name not in known | _WITHDRAWN]


@migrations()
def m001_create_settings(db: Database) -> None:
    """Create the settings: keys with text values. They include the model of the vectors."""
    db.table("settings").create({"key": str, "value": str}, pk="key", not_null={"value"})


@migrations()
def m002_create_tracks(db: Database) -> None:
    """Create the tracks, one row per file. ``id`` is also the id in FAISS. No id is reused."""
    db.execute(
        """
        CREATE TABLE tracks (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            path BLOB NOT NULL UNIQUE,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            content_hash TEXT NOT NULL,
            seconds REAL NOT NULL,
            sample_rate_hz INTEGER NOT NULL,
            channels INTEGER NOT NULL,
            format TEXT NOT NULL,
            title TEXT,
            artist TEXT,
            album TEXT,
            album_artist TEXT,
            genre TEXT,
            year INTEGER,
            track_number INTEGER
        )
        """
    )
    db.table("tracks").create_index(["content_hash"])


@migrations()
def m003_create_vectors(db: Database) -> None:
    """Create the vectors: little-endian float32 of unit length, each with its revision."""
    db.execute(
        """
        CREATE TABLE vectors (
            track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
            revision INTEGER NOT NULL,
            embedding BLOB NOT NULL
        )
        """
    )
    db.table("vectors").create_index(["revision"])
    db.execute("CREATE TABLE revision (number INTEGER NOT NULL)")
    db.execute("INSERT INTO revision VALUES (0)")


@migrations()
def m004_create_failures(db: Database) -> None:
    """Create the failures: files that could not be embedded, with size and time at the attempt."""
    columns = {"path": bytes, "reason": str, "size": int, "mtime_ns": int}
    db.table("failures").create(columns, pk="path", not_null=set(columns))


@migrations()
def m005_create_pending_vectors(db: Database) -> None:
    """Create the staged vectors: those of another model, until every track has one."""
    db.execute(
        """
        CREATE TABLE pending_vectors (
            track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
            content_hash TEXT NOT NULL,
            embedding BLOB NOT NULL
        )
        """
    )


@migrations()
def m006_count_changes_of_tracks(db: Database) -> None:
    """Create a random number that changes with every track, so that caches of tags notice."""
    db.execute("CREATE TABLE track_changes (number INTEGER NOT NULL)")
    number = "(random() & 2147483647) | 1"  # never 0, and different in every database
    db.execute(f"INSERT INTO track_changes VALUES ({number})")
    for name, event in (("inserted", "INSERT"), ("changed", "UPDATE"), ("removed", "DELETE")):
        db.execute(
            f"CREATE TRIGGER track_{name} AFTER {event} ON tracks "
            f"BEGIN UPDATE track_changes SET number = {number}; END"
        )


@migrations()
def m007_create_positions(db: Database) -> None:
    """Create the map coordinates of tracks, with the revision of the vector behind each."""
    db.execute(
        """
        CREATE TABLE positions (
            track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
            revision INTEGER NOT NULL,
            x REAL NOT NULL,
            y REAL NOT NULL
        )
        """
    )


@migrations()
def m008_add_audio_hash(db: Database) -> None:
    """Add the hash of a file's audio packets to the tracks, beside that of its content."""
    db.execute("ALTER TABLE tracks ADD COLUMN audio_hash TEXT NOT NULL DEFAULT ''")
    db.table("tracks").create_index(["audio_hash"])


@migrations()
def m009_create_prints(db: Database) -> None:
    """Create the spectral prints of files, by the hash of their sound."""
    columns = {"sound_hash": str, "seconds": float, "words": bytes, "fine_words": bytes}
    db.table("prints").create(columns, pk="sound_hash", not_null=set(columns))


@migrations()
def m010_add_real_path(db: Database) -> None:
    """Add the path without symbolic links to the tracks. It is empty until the next `add`."""
    if "real_path" not in db.table("tracks").columns_dict:
        db.execute("ALTER TABLE tracks ADD COLUMN real_path BLOB NOT NULL DEFAULT x''")


@migrations()
def m011_mend_former_schemas(db: Database) -> None:
    """Bring what former versions of m005, m006 and m009 created into the present form.

    Staged vectors without the hash of their file are removed; `reembed` computes them again.
    Full-text search was in this database once.
    """
    for event in ("inserted", "changed", "removed"):
        db.execute(f"DROP TRIGGER IF EXISTS texts_{event}")
    with contextlib.suppress(sqlite3.OperationalError):  # without FTS5, the table stays, unused
        db.execute("DROP TABLE IF EXISTS texts")
    if "content_hash" not in db.table("pending_vectors").columns_dict:
        db.execute("DROP TABLE IF EXISTS pending_vectors")
        m005_create_pending_vectors(db)
    if any("number + 1" in sql for sql in db.table("tracks").triggers_dict.values()):
        for event in ("inserted", "changed", "removed"):
            db.execute(f"DROP TRIGGER track_{event}")
        db.execute("DROP TABLE track_changes")
        m006_count_changes_of_tracks(db)
    if "content_hash" in db.table("prints").columns_dict:
        db.execute("ALTER TABLE prints RENAME COLUMN content_hash TO sound_hash")


@migrations()
def m012_create_sounds(db: Database) -> None:
    """Create the sounds that are heard in tracks, and add the digest of what recognized them."""
    if "tagger" not in db.table("tracks").columns_dict:
        db.execute("ALTER TABLE tracks ADD COLUMN tagger TEXT NOT NULL DEFAULT ''")
    db.execute(
        """
        CREATE TABLE IF NOT EXISTS sounds (
            track_id INTEGER NOT NULL REFERENCES tracks(id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            score REAL NOT NULL,
            mean REAL NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (track_id, name)
        ) WITHOUT ROWID
        """
    )
    db.table("sounds").create_index(["name", "score", "mean"], if_not_exists=True)


@migrations()
def m013_create_moments(db: Database) -> None:
    """Create the moments of tracks: the embeddings of their patches, and the sounds in each.

    ``first_id`` is the id of the first patch in FAISS. No id is used twice.
    """
    db.execute(
        """
        CREATE TABLE IF NOT EXISTS moments (
            track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
            first_id INTEGER NOT NULL,
            n_patches INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            codes BLOB NOT NULL,
            sounds BLOB
        )
        """
    )
    db.table("moments").create_index(
        ["first_id", "n_patches", "revision"], unique=True, if_not_exists=True
    )
    for column in sorted({"codes", "sounds"} - db.table("pending_vectors").columns_dict.keys()):
        db.execute(f"ALTER TABLE pending_vectors ADD COLUMN {column} BLOB")


@migrations()
def m014_add_prints_of_patches(db: Database) -> None:
    """Add the prints of the patches of tracks."""
    for table in ("moments", "pending_vectors"):
        if "prints" not in db.table(table).columns_dict:
            db.execute(f"ALTER TABLE {table} ADD COLUMN prints BLOB")


@migrations()
def m015_create_waveforms(db: Database) -> None:
    """Create the waveforms of tracks. That of a track whose sound changes is removed."""
    db.execute(
        """
        CREATE TABLE IF NOT EXISTS waveforms (
            track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
            peaks BLOB NOT NULL
        )
        """
    )
    db.execute(
        "CREATE TRIGGER IF NOT EXISTS sound_changed "
        "AFTER UPDATE OF content_hash, audio_hash ON tracks "
        "WHEN NOT (OLD.audio_hash <> '' AND OLD.audio_hash = NEW.audio_hash "
        "OR OLD.content_hash <> '' AND OLD.content_hash = NEW.content_hash) "
        "BEGIN DELETE FROM waveforms WHERE track_id = OLD.id; END"
    )


@migrations()
def m016_add_has_cover(db: Database) -> None:
    """Add to the tracks whether their files have a cover image. It is NULL until they are added."""
    if "has_cover" not in db.table("tracks").columns_dict:
        db.execute("ALTER TABLE tracks ADD COLUMN has_cover INTEGER")


@migrations()
def m017_create_playlists(db: Database) -> None:
    """Create the saved playlists. Their tracks and settings are JSON."""
    columns = {"name": str, "n_tracks": int, "seconds": float, "saved": str, "content": str}
    db.table("playlists").create(columns, pk="name", not_null=set(columns), if_not_exists=True)
