# Holds the option tables of our commands against those of Slurm's own programs, and the done ones against their proofs.
#
#   options_test.py names    --bin BIN [--recorder LIB]   names.csv, and the programs themselves where installed
#   options_test.py proofs   --bin BIN                    what is done has a proof, or stands in proof_debts.txt
#   options_test.py document --bin BIN                    docs/slurm-compatibility.md is what the tables say
#   options_test.py debts    --bin BIN                    prints what proof_debts.txt should hold: it may only shrink
#
# A proof is a line "# proves: sbatch --wrap -J; squeue -o --state" of a scenario below tests/, or "// proves: ..." of a
# unit test.
import argparse
import csv
import pathlib
import shutil
import subprocess
import sys

import compatibility
import recorded

HERE = pathlib.Path(__file__).resolve().parent
# What ours take beyond Slurm's: none of its scripts can know them.
OUR_OWN = {("scontrol", "json")}
MAN_PAGE_SHORT = {("squeue", "account"), ("squeue", "partition")}  # getopt takes them as short for the plural


def key_of(row):
    """A long option by its name; a letter that has none by itself."""
    return row["name"] or "-" + row["letter"]


def differences(ours, theirs):
    """Lines that say what differs: (command, option) -> (letter, takes) on both sides."""
    lines = []
    for key in sorted(set(ours) | set(theirs)):
        command, option = key
        if key not in ours:
            lines.append(f"{command}: {option} is missing")
        elif key not in theirs:
            if key not in OUR_OWN:
                lines.append(f"{command}: {option} is no option of Slurm's")
        elif ours[key] != theirs[key]:
            lines.append(f"{command}: {option} is {ours[key]}, in Slurm {theirs[key]}")
    return lines


def our_options(tables):
    return {(table["name"], key_of(row)): (row["letter"], row["takes"]) for table in tables for row in table["options"]}


def csv_options():
    with open(HERE / "names.csv", newline="") as file:
        return {(row["command"], key_of(row)): (row["letter"], row["takes"]) for row in csv.DictReader(file)}


def man_page_names(command):
    """The long options at the left edge of the man page's list; None without a page."""
    found = subprocess.run(["man", "-w", command], text=True, capture_output=True)
    if found.returncode != 0:
        return None
    plain = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    page = subprocess.run(["man", command], text=True, capture_output=True, env=plain)
    names = set()
    for line in page.stdout.splitlines():
        if line.startswith("       -"):
            words = line.replace(",", " ").replace("=", " ").replace("[", " ").split()
            names |= {word[2:] for word in words if word.startswith("--") and word.strip("-")}
    return names


def test_names(tables, recorder):
    theirs = csv_options()
    lines = differences(our_options(tables), theirs)
    real = recorded.recorded(recorder) if recorder else None
    if real is None:
        print("Slurm is not installed: only names.csv is looked at")
    else:
        now = {(command, name or "-" + letter): (letter, takes) for command, name, letter, takes in real}
        lines += ["names.csv against the programs: " + line for line in differences(theirs, now)]
    for table in tables if shutil.which("man") and real else []:
        for name in sorted(man_page_names(table["name"]) or ()):
            if (table["name"], name) not in theirs and (table["name"], name) not in MAN_PAGE_SHORT:
                lines.append(f"{table['name']}: --{name} is in the man page only")
    print(f"{len(theirs)} options of {len(tables)} commands, {len(lines)} differences")
    return lines


def unproven(tables, proofs):
    debts = []
    for table in tables:
        for row in table["options"]:
            if row["support"] == "done" and not compatibility.proofs_of(proofs, table["name"], row):
                debts.append(f"{table['name']} {compatibility.shown(row)}")
    return debts


def test_proofs(tables):
    proofs = compatibility.all_proofs()
    lines = [f"{where}: {command} has no option {option}" for where, command, option in
             compatibility.unknown_proofs(proofs, tables)]
    debts = set((HERE / "proof_debts.txt").read_text().split("\n")) - {""}
    open_now = set(unproven(tables, proofs))
    lines += [f"{line}: done, but nothing proves it" for line in sorted(open_now - debts)]
    lines += [f"{line}: proven or not done, so it is no debt any more: take it out of proof_debts.txt"
              for line in sorted(debts - open_now)]
    print(f"{sum(row['support'] == 'done' for t in tables for row in t['options'])} options done, "
          f"{len(open_now)} without a proof")
    return lines


def test_document(tables):
    path = compatibility.DOCUMENT
    if compatibility.document(tables, path.read_text()) == path.read_text():
        return []
    return [f"{path.name} is not what the tables say: run script/slurm-compatibility"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("names", "proofs", "document", "debts"))
    parser.add_argument("--bin", required=True)
    parser.add_argument("--recorder")
    args = parser.parse_args()
    tables = compatibility.read_tables(args.bin)
    if args.what == "debts":
        print("\n".join(sorted(unproven(tables, compatibility.all_proofs()))))
        return 0
    if args.what == "names":
        lines = test_names(tables, args.recorder)
    else:
        lines = test_proofs(tables) if args.what == "proofs" else test_document(tables)
    print("\n".join(lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
