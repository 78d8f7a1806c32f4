# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: one folder for each step, one shard for each rank, and a file that points.

    checkpoints/step-000100/rank-0000.pt ...   this rank's parameters and optimizer state
    checkpoints/step-000100/about.json         what run and layout they belong to
    checkpoints/latest                         the name of the newest complete folder

`latest` is renamed into place after every rank has written its shard, so that it points to
a complete checkpoint at any moment, whenever the job is killed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable

import torch
import torch.distributed as dist

KEPT = 2


def checkpoint_root() -> Path:
    return Path(os.environ.get("VIRGA_CHECKPOINT_DIR") or "checkpoints")


def _write_atomically(path: Path, write: Callable[[Any], None]) -> None:
    partial = path.with_name(path.name + ".tmp")
    with open(partial, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _shard(folder: Path, rank: int) -> Path:
    return folder / f"rank-{rank:04d}.pt"


def save(root: Path, step: int, rank: int, state: dict[str, Any], about: dict[str, Any]) -> int:
    """Writes a checkpoint; all ranks call it together. Returns its bytes on rank 0, else 0."""
    folder = root / f"step-{step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    _write_atomically(_shard(folder, rank), lambda file: torch.save(state, file))
    dist.barrier()
    if rank != 0:
        return 0
    about_text = json.dumps(about | {"step": step}, indent=1) + "\n"
    _write_atomically(folder / "about.json", lambda file: file.write(about_text.encode()))
    _write_atomically(root / "latest", lambda file: file.write(f"{folder.name}\n".encode()))
    _remove_others(root, step)
    return sum(file.stat().st_size for file in folder.iterdir())


def _remove_others(root: Path, newest: int) -> None:
    """Keeps the newest folders up to `newest`; later ones are of a run that was cut off."""
    folders = {
        int(match[1]): path
        for path in root.iterdir()
        if (match := re.fullmatch(r"step-(\d+)", path.name)) and path.is_dir()
    }
    kept = sorted(step for step in folders if step <= newest)[-KEPT:]
    for step, path in folders.items():
        if step not in kept:
            shutil.rmtree(path, ignore_errors=True)


def announce(step: int, size: int) -> None:
    """Tells the machine, where it cares to know, that a checkpoint is complete."""
    program = shutil.which("virga")
    if program is None:
        return
    try:
        subprocess.run(
            [program, "checkpoint", "done", "--step", str(step), "--bytes", str(size)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        pass  # only a courtesy: training does not depend on it


def latest(root: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest complete checkpoint and what it is about."""
    try:
        folder = root / (root / "latest").read_text().strip()
    except FileNotFoundError:
        return None
    return folder, json.loads((folder / "about.json").read_text())


def difference(saved: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """In what a checkpoint does not fit this run, for people to read."""
    for key, value in wanted.items():
        if saved.get(key) != value:
            return f"its {key} is {saved.get(key)}, this run's is {value}"
    return None


def load(folder: Path, rank: int) -> dict[str, Any]:
    return torch.load(_shard(folder, rank), map_location="cpu")
