"""Schema of ``audiosearch.db``, as migrations that each add one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("audiosearch")


@migrations()
def m001_create_settings(db: Database) -> None:
    """Create the settings: names and texts, among them the model of the vectors."""
    db.table("settings").create({"key": str, "value": str}, pk="key", not_null={"value"})


@migrations()
def m002_create_tracks(db: Database) -> None:
    """Create one row per file. ``id`` is also the id in FAISS, and is never used twice."""
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
    """Create the vectors: little-endian float32 of unit length, and the revision of each."""
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
    """Create the files that could not be embedded, with their size and time then."""
    columns = {"path": bytes, "reason": str, "size": int, "mtime_ns": int}
    db.table("failures").create(columns, pk="path", not_null=set(columns))


@migrations()
def m005_create_pending_vectors(db: Database) -> None:
    """Create the vectors of another model, kept until there is one for every track."""
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
    """Set a random number at every change of a track, for what is derived from tags."""
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
    """Create the map coordinates of tracks, with the revision of the vector they came from."""
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
