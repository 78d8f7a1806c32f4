#!/usr/bin/env python3
"""An instance moves its journal from SQLite to PostgreSQL and back, as docs/configuration.md tells it.

    move_journal.py --bin BUILD/bin
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from instance import CannotRun, Instance  # noqa: E402
from postgres import Postgres  # noqa: E402
from takeover import CONFIG, SKIPPED  # noqa: E402


def run(virga: Instance, command: str, code: int = 0) -> str:
    done = virga.sh(command)
    if done.returncode != code:
        raise SystemExit(f"{command}: exit code {done.returncode} instead of {code}\n{done.stdout}")
    return done.stdout.strip()


def move(virga: Instance, config: str) -> None:
    file = virga.home / "virga.toml"
    postgres = "postgres:postgres://virga@/virga"
    section = config[config.index("[journal]"):config.index("[pool.nd]")]
    file.write_text(config.replace(section, ""))
    run(virga, "virga up")
    run(virga, "sbatch --wait --wrap true")
    run(virga, "virga down")
    first = run(virga, "virga journal replay")
    run(virga, f"virga journal copy sqlite:{virga.home}/journal.db {postgres}")
    refused = run(virga, f"virga journal copy sqlite:{virga.home}/journal.db {postgres}", 5)
    assert "copy into an empty one" in refused, refused

    file.write_text(config)
    assert run(virga, "virga journal replay") == first, "the copy's digest is another one"
    run(virga, "virga up")
    other = run(virga, f"virga journal copy sqlite:{virga.home}/journal.db {postgres}", 5)
    assert "leads the journal" in other, other
    run(virga, "sbatch --wait --wrap true")
    assert run(virga, "sacct -X -n -P -o JobID,State").split() == ["1|COMPLETED", "2|COMPLETED"]
    run(virga, f"virga journal backup {virga.home}/backup.db")
    assert "is whole" in run(virga, f"virga journal verify --journal {virga.home}/backup.db")
    run(virga, "virga down")

    second = run(virga, "virga journal replay")
    run(virga, f"virga journal copy {postgres} sqlite:{virga.home}/back.db")
    assert run(virga, f"virga journal replay --journal {virga.home}/back.db") == second
    file.write_text(config.replace(section, ""))
    (virga.home / "back.db").rename(virga.home / "journal.db")
    run(virga, "virga up")
    run(virga, "sbatch --wait --wrap true")
    assert run(virga, "sacct -X -n -P -o JobID").split() == ["1", "2", "3"]
    run(virga, "virga down")
    left = virga.leftovers()
    assert left == [], left


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    args = parser.parse_args()
    try:
        server = Postgres()
    except CannotRun as why:
        print(f"skipped: {why}")
        return SKIPPED
    with server, Instance(args.bin, config=CONFIG) as virga:
        server.sql("CREATE DATABASE virga")
        virga.env["PGHOST"] = str(server.folder)
        move(virga, CONFIG)
    print("moved to PostgreSQL and back; the digests are the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
