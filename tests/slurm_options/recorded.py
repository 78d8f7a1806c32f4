# What Slurm's own commands take: read from the table that each of them hands to getopt_long.
#
#   python3 recorded.py --recorder libgetopt_recorder.so > names.csv
#
# No daemon runs for it: a slurm.conf that names a controller is enough. scrontab is not in Debian's packages; its
# letters are those of its page on slurm.schedmd.com.
import argparse
import csv
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

COMMANDS = ("sbatch salloc srun squeue scancel sinfo sacct scontrol sstat sprio sshare sacctmgr sdiag strigger sattach "
            "sbcast sreport").split()
SCRONTAB = [("scrontab", "", "e", "nothing"), ("scrontab", "", "l", "nothing"), ("scrontab", "", "r", "nothing"),
            ("scrontab", "", "u", "value")]
DEBIANS = "/usr/bin:/usr/sbin"  # not what stands before it in PATH: Virga's own have the same names
TAKES = ("nothing", "value", "optional")
CONF = """ClusterName=names
SlurmctldHost=localhost
AccountingStorageType=accounting_storage/slurmdbd
NodeName=n1 NodeHostname=localhost
PartitionName=main Nodes=n1 Default=YES
"""


def letters_of(text):
    """{letter: what it takes} of getopt's string."""
    letters = {}
    text = text.lstrip("+-")
    while text:
        colons = len(text[1:]) - len(text[1:].lstrip(":"))
        letters[text[0]] = TAKES[colons]
        text = text[1 + colons:]
    return letters


def rows_of(command, lines):
    """(command, name, letter, takes): a letter that no long option has, or that takes another thing, stands alone."""
    letters = letters_of(lines[0].split(",", 1)[1])
    free = dict(letters)
    rows = []
    for line in lines[1:]:
        name, has_arg, value = line.split(",")
        takes = TAKES[int(has_arg)]
        letter = chr(int(value)) if int(value) < 256 else ""
        if letters.get(letter) == takes:
            free.pop(letter, None)
        else:
            letter = ""
        rows.append((command, name, letter, takes))
    rows += [(command, "", letter, takes) for letter, takes in free.items()]
    return sorted(rows, key=lambda row: (row[1] == "", row[1].lower(), row[1], row[2]))


def recorded(recorder):
    """The rows of every command of Slurm 22.05 that is installed here, or None if there is none."""
    if shutil.which("sbatch", path=DEBIANS) is None or shutil.which("slurmctld", path=DEBIANS) is None:
        return None
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        conf = pathlib.Path(folder, "slurm.conf")
        conf.write_text(CONF)
        env = dict(os.environ, SLURM_CONF=str(conf), LD_PRELOAD=str(recorder))
        for command in COMMANDS:
            program = shutil.which(command, path=DEBIANS) or command
            out = subprocess.run([program, "-V"], env=env, text=True, capture_output=True, stdin=subprocess.DEVNULL)
            lines = out.stdout.splitlines()
            if not lines or not lines[0].startswith("letters,"):
                sys.exit(f"{command} does not say which options it has: {out.stderr}")
            rows += rows_of(command, lines)
    return rows + SCRONTAB


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--recorder", required=True)
    rows = recorded(pathlib.Path(parser.parse_args().recorder).resolve())
    if rows is None:
        sys.exit("Slurm is not installed here")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("command", "name", "letter", "takes"))
    writer.writerows(rows)


if __name__ == "__main__":
    main()
