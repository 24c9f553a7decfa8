"""The schema that the migrations create, and what a database lacks of it."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from sqlite_utils import Database

from audiosearch.library.sqlite.conditions import one_of
from audiosearch.library.sqlite.migrations import migrations
from audiosearch.library.sqlite.stored_types import wrong_types

if TYPE_CHECKING:
    from collections.abc import Iterator


def schema_problems(db: Database) -> list[str]:
    """Return a phrase for each part that a database lacks, and each table with wrong types.

    The parts are tables, columns, indexes and triggers.

    Migrations that are still to be applied count as applied: the first change of the index does.
    """
    with _in_memory() as expected, _in_memory() as current:
        migrations.apply(expected)
        names = expected.table_names()
        _copy_schema(db, current, names)
        try:
            migrations.apply(current)
        except sqlite3.Error as exc:
            return [f"the tables can't be brought up to date: {exc}"]
        parts = [part for part in _parts(expected) if part not in set(_parts(current))]
        parts += [
            f"column {column} of the table {name}"
            for name in names
            if current.table(name).exists()
            for column in expected.table(name).columns_dict
            if column not in current.table(name).columns_dict
        ]
        return [*(f"the {part} is missing" for part in parts), *wrong_types(db, expected)]


def track_columns(statement: str | None = None) -> list[str]:
    """Return the columns of the table of tracks, in order.

    Parameters
    ----------
    statement : str, optional
        Statement that created the table. Default: the present schema.

    Raises
    ------
    sqlite3.Error
        If the statement is invalid.
    """
    with _in_memory() as db:
        if statement is None:
            migrations.apply(db)
        else:
            db.execute(statement)
        return [column.name for column in db.table("tracks").columns]


@contextlib.contextmanager
def _in_memory() -> Iterator[Database]:
    db = Database(memory=True)
    try:
        yield db
    finally:
        db.close()


def _copy_schema(source: Database, target: Database, tables: list[str]) -> None:
    """Create the tables of a database with their indexes and triggers, without rows."""
    sql = f"SELECT sql FROM sqlite_master WHERE {one_of('tbl_name', tables)} AND sql IS NOT NULL"
    for (statement,) in source.execute(
        f"{sql} AND name NOT LIKE 'sqlite_%' ORDER BY rowid", tables
    ):
        target.execute(statement)
    for migration in migrations.applied(source):
        row = {"migration_set": migrations.name, "name": migration.name, "applied_at": ""}
        target.table(migrations.migrations_table).insert(row)


def _parts(db: Database) -> list[str]:
    """Return the types and names of tables, indexes and triggers, without SQLite's own."""
    sql = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    return [f"{kind} {name}" for kind, name in db.execute(sql)]
