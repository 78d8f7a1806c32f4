# The list of options in docs/slurm-compatibility.md: from `virga slurm-options --json` and the proofs that tests name.
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "slurm-compatibility.md"
BEGIN = "<!-- options: begin; made by script/slurm-compatibility -->"
END = "<!-- options: end -->"
WORDS = {"done": "done", "quiet": "done: as it is", "ignored": "no effect, warns", "refused": "refused"}


def read_tables(programs):
    out = subprocess.run([f"{programs}/virga", "slurm-options", "--json"], text=True, capture_output=True, check=True)
    return json.loads(out.stdout)


def shown(row):
    return f"--{row['name']}" if row["name"] else f"-{row['letter']}"


def all_proofs():
    """[(file, command, option as the line has it)] of every "proves:" line."""
    proofs = []
    files = sorted((ROOT / "tests" / "slurm").glob("**/*.test")) + sorted((ROOT / "tests" / "scenarios").glob("*.txt"))
    files += sorted((ROOT / "tests" / "unit").glob("**/*.cpp"))
    for file in files:
        for line in re.findall(r"^\s*(?:#|//) proves: (.*)$", file.read_text(errors="replace"), re.M):
            for part in line.split(";"):
                words = part.split()
                proofs += [(file.relative_to(ROOT).as_posix(), words[0], word) for word in words[1:]]
    return proofs


def options_meant(table, word):
    """The rows of a command that "--name", an abbreviation of it, or "-n" means."""
    if not word.startswith("--"):
        return [row for row in table["options"] if "-" + row["letter"] == word]
    name = word[2:].split("=")[0]
    exact = [row for row in table["options"] if row["name"] == name]
    return exact or [row for row in table["options"] if row["name"].startswith(name)]


def proofs_of(proofs, command, row):
    """The files that prove an option: by its name, or by the letter that it has."""
    names = {f"--{row['name']}"} if row["name"] else set()
    if row["letter"]:
        names.add("-" + row["letter"])
    return sorted({file for file, whose, word in proofs if whose == command and word.split("=")[0] in names})


def unknown_proofs(proofs, tables):
    by_name = {table["name"]: table for table in tables}
    for file, command, word in proofs:
        # "--state=RUNNING" is an option; words without a dash are subcommands, of which there is no table
        if word.startswith("-") and (command not in by_name or not options_meant(by_name[command], word)):
            yield file, command, word


def share_done(table):
    done = sum(row["support"] in ("done", "quiet") for row in table["options"])
    return done, len(table["options"])


def summary_lines(tables):
    yield "| command | options | done | of these as it is | no effect, warns | refused | share done |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for table in tables:
        count = {word: sum(row["support"] == word for row in table["options"]) for word in WORDS}
        done, all_of_them = share_done(table)
        name = table["name"] if table["is_built"] else table["name"] + " (not there yet)"
        yield (f"| {name} | {all_of_them} | {done} | {count['quiet']} | {count['ignored']} | {count['refused']} "
               f"| {100 * done // all_of_them} % |")


def command_lines(table, proofs):
    yield ""
    yield f"### {table['name']}"
    yield ""
    if not table["is_built"]:
        yield "Virga does not have this command yet: it says so, and ends with exit code 1."
        return
    yield "| option | class | what it does, or why not | proven by |"
    yield "|---|---|---|---|"
    for row in table["options"]:
        option = shown(row) + (f", -{row['letter']}" if row["name"] and row["letter"] else "")
        text = row["text"].replace("|", "\\|")
        files = proofs_of(proofs, table["name"], row)[:3]
        yield f"| `{option}` | {WORDS[row['support']]} | {text} | {', '.join(files)} |"
    if table["variables"]:
        yield ""
        yield "| variable | class | meaning |"
        yield "|---|---|---|"
    for variable in table["variables"]:
        meaning = f"`--{variable['option']}`" if variable["option"] else variable["text"]
        yield f"| `{variable['name']}` | {WORDS[variable['support']]} | {meaning} |"


def generated(tables):
    proofs = all_proofs()
    lines = [BEGIN, "", *summary_lines(tables)]
    for table in tables:
        lines += command_lines(table, proofs)
    return "\n".join([*lines, "", END])


def document(tables, text):
    """`text` with the part between the marks made anew."""
    head, rest = text.split(BEGIN, 1)
    return head + generated(tables) + rest.split(END, 1)[1]
