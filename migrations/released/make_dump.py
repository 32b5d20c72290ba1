#!/usr/bin/env python3
"""Writes a database as a version of the schema leaves it: migrations/released/VERSION.sql, or head.sql.

The migrations run in their order; after one that has a file of the same number in rows/, its rows are added. Clocks are
stopped, so that the same migrations and rows give the same bytes from the same release of pg_dump. Called by
`make schema-dump`, which starts a throw-away Postgres. The programs psql and pg_dump are those of that server, or on PATH.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

RELEASED = Path(__file__).parent
MIGRATIONS = RELEASED.parent
# What tables have that is left to now(): the time of the dump means nothing.
STOPPED = "2026-01-05 12:00:00+00"

# As the migrations' runner makes it, so that it finds what was run.
LEDGER = """
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL
);
"""

STOP_CLOCKS = f"""
DO $$
DECLARE
    week record;
    clock record;
BEGIN
    -- The weeks of today are those of the machine that makes the dump.
    IF to_regclass('journal_weeks') IS NOT NULL THEN
        FOR week IN SELECT name FROM journal_weeks WHERE monday >= date_trunc('week', now(), 'UTC') LOOP
            EXECUTE format('DROP TABLE %I, %I, %I', 'steps_' || week.name, 'events_' || week.name, 'llm_calls_' || week.name);
            DELETE FROM journal_weeks WHERE name = week.name;
        END LOOP;
    END IF;
    FOR clock IN SELECT c.oid::regclass AS named, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
                 WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
                   AND attnum > 0 AND NOT attisdropped AND atttypid = 'timestamptz'::regtype LOOP
        EXECUTE format('UPDATE %s SET %I = %L WHERE %2$I BETWEEN now() - interval ''1 day'' AND now() + interval ''1 day''',
                       clock.named, clock.attname, '{STOPPED}');
    END LOOP;
END $$;
"""


def migrations(until):
    """The migrations up to a version: number, description, file."""
    files = sorted(MIGRATIONS.glob("*.sql"))
    for file in files:
        number, name = file.stem.split("_", 1)
        if until is None or int(number) <= until:
            yield int(number), name.replace("_", " "), file


class Server:
    def __init__(self, url):
        self.parts = urlsplit(url)
        self.psql = shutil.which("psql") or sys.exit("make_dump.py: psql is not on PATH")
        beside = Path(self.run("SELECT setting FROM pg_config WHERE name = 'BINDIR'", "postgres"))
        self.pg_dump = beside / "pg_dump" if (beside / "pg_dump").exists() else shutil.which("pg_dump")

    def url(self, database):
        return urlunsplit(self.parts._replace(path=f"/{database}"))

    def run(self, sql, database):
        command = [self.psql, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        done = subprocess.run([*command, "--single-transaction", self.url(database)], input=sql, text=True,
                              stdout=subprocess.PIPE)
        return done.stdout.strip() if done.returncode == 0 else sys.exit("make_dump.py: psql failed")

    def dump(self, database):
        command = [self.pg_dump, "--no-owner", "--no-privileges", "--column-inserts", self.url(database)]
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def make(server, until, database):
    """A database at that version, with rows."""
    subprocess.run([server.psql, "--quiet", server.url("postgres"), "--command",
                    f"CREATE DATABASE {database} TEMPLATE template0"], check=True)
    server.run(LEDGER, database)
    for number, description, file in migrations(until):
        server.run(file.read_text(), database)
        checksum = hashlib.sha384(file.read_bytes()).hexdigest()
        server.run("INSERT INTO _sqlx_migrations VALUES "
                   f"({number}, '{description}', now(), true, '\\x{checksum}', 0)", database)
        rows = RELEASED / "rows" / f"{number:04}.sql"
        if rows.exists():
            server.run(rows.read_text(), database)
    server.run(STOP_CLOCKS, database)


def tidy(text):
    """Without what differs between two dumps of the same, and what only psql or one release of Postgres knows."""
    kept, in_body = [], False
    for line in text.splitlines():
        noise = re.match(r"--|\\(un)?restrict\b|SET (?!default_table_access_method|check_function_bodies)", line)
        if in_body or line and not noise:
            kept.append(line)
        if not line.startswith("INSERT INTO") and len(re.findall(r"\$\w*\$", line)) % 2:
            in_body = not in_body
    # Rows in an order of their own: where they lie in a table is chance.
    lines, rows = [], []
    for line in [*kept, ""]:
        if line.startswith("INSERT INTO"):
            if not line.endswith(");"):
                sys.exit(f"make_dump.py: a row is more than a line: {line}")
            rows.append(line)
            continue
        lines += sorted(rows)
        rows = []
        lines.append(line)
    return "\n".join(lines)


def main():
    words = [word for word in sys.argv[1:] if word != "--check"]
    version = words[0] if words else "head"
    url = os.environ.get("HIVE_TEST_DATABASE_URL") or sys.exit("make_dump.py: run this through make schema-dump")
    server = Server(url)
    make(server, None if version == "head" else int(version), "dump")
    head = (f"-- The schema {'at the head of the migrations' if version == 'head' else 'after migration ' + version}, "
            "with rows; made by `make schema-dump`.\n")
    text = head + tidy(server.dump("dump"))
    file = RELEASED / f"{version}.sql"
    if "--check" in sys.argv:
        sys.exit(0 if file.read_text() == text else f"make_dump.py: {file} differs; run make schema-dump")
    file.write_text(text)


main()
