#!/usr/bin/env python3
"""docs/walkthrough.md names functions and types; each of them must exist in src/."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def names_of(page: str) -> list[str]:
    """`a::b()`, `a()`, and `CamelCase` words in code marks, outside of code blocks."""
    text = re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)
    marked = re.findall(r"`([^`]+)`", text)
    return [m for m in marked if re.fullmatch(r"[A-Za-z_]\w*(::\w+)*\(\)|[A-Z][a-z]+([A-Z][a-z]+)+", m)]


def exists(name: str, source: str) -> bool:
    if not name.endswith("()"):
        return re.search(rf"\b(struct|class|enum class) {name}\b", source) is not None
    parts = name[:-2].split("::")
    if len(parts) == 1:
        return re.search(rf"^[\w:<>&*, ]*\b{parts[0]}\(", source, re.M) is not None
    owner, function = parts[-2], parts[-1]
    defined = re.search(rf"\b{owner}::{function}\(", source)
    declared = re.search(rf"\b(struct|class) (\w+::)?{owner}\b[^;]*?\{{.*?\b{function}\(", source, re.S)
    return bool(defined or declared)


def main() -> int:
    source = "\n".join(p.read_text() for p in sorted((ROOT / "src").rglob("*.[ch]pp")))
    names = sorted(set(names_of((ROOT / "docs" / "walkthrough.md").read_text())))
    missing = [n for n in names if not exists(n, source)]
    for name in missing:
        print(f"docs/walkthrough.md names `{name}`, which src/ does not have")
    if exists("no_such_function()", source) or exists("NoSuchType", source):
        print("the check itself finds names that do not exist")
        return 1
    print(f"{len(names)} names, {len(missing)} missing")
    return 1 if missing or len(names) < 30 else 0


if __name__ == "__main__":
    sys.exit(main())
