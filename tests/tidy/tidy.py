#!/usr/bin/env python3
# The test over the source text: what a review should not have to look for.
#
#   tests/tidy/tidy.py            checks the whole tree; exit code 1 and one line a finding if something is wrong
#   tests/tidy/tidy.py --ratchet  prints what long_code.txt should hold now
#
# The rooms and their levels come from the table of docs/design.md, so that page cannot become untrue unnoticed.
# self_test.py feeds each rule a text that must be refused.
import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RATCHET = "tests/tidy/long_code.txt"

Finding = collections.namedtuple("Finding", "path line rule text")

CPP = {".cpp", ".hpp"}
CODE = CPP | {".py", ".sh", ".cmake"}
LINE_LENGTH_MAX = 120
PROSE_LENGTH_MAX = 140
FILE_LINES_MAX = 500
TEST_FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PURE_ROOMS = {"base", "fabric", "core", "twin", "brain"}
INTEGER_ROOMS = {"base", "fabric", "core", "brain"}
# Rooms of one level that may include another of it: (who, whom). Each needs a reason in docs/design.md.
SAME_LEVEL_ALLOWED = set()

# Standard and system headers that mean clocks, randomness, threads, I/O or an order that differs between machines.
BANNED_HEADERS = set("""
    atomic barrier chrono condition_variable ctime filesystem fstream future iostream istream latch locale
    memory_resource mutex ostream random regex semaphore shared_mutex sstream stop_token syncstream thread
    unordered_map unordered_set csignal cstdio
    dirent.h dlfcn.h fcntl.h netdb.h poll.h pthread.h pwd.h sched.h signal.h spawn.h stdio.h time.h unistd.h""".split())
BANNED_HEADER_FOLDERS = ("sys/", "netinet/", "arpa/", "linux/", "boost/asio", "boost/beast", "boost/unordered",
                         "SQLiteCpp/", "spdlog/", "CLI/", "toml++/")
ALLOWED_HEADERS = {("src/base/assert.hpp", "cstdio")}  # a broken invariant says so before it ends the program
BANNED_CALLS = [
    (r"(?<![\w.>:])(?:std::)?(?:s?rand|random|[dlm]rand48|getenv|setenv|putenv|time|clock|gettimeofday|clock_gettime"
     r"|localtime(?:_r)?|gmtime(?:_r)?|mktime|sleep|usleep|nanosleep|system|fork|popen|fopen|printf|puts|getpid)\s*\(",
     "asks the world"),
    (r"\b(?:system_clock|steady_clock|high_resolution_clock|random_device|mt19937(?:_64)?|\w+_distribution)\b",
     "clock or randomness"),
    (r"\bstd::(?:hash|unordered_\w+|thread|jthread|mutex|async|atomic\w*|shuffle|c(?:out|err|in|log))\b",
     "threads, I/O, or an order that differs between machines"),
    (r"\b(?:unordered_flat_\w+|unordered_node_\w+|thread_local)\b", "an order that differs between machines"),
    (r"\bstd::(?:map|set|multimap|multiset)<\s*(?:const\s+)?[\w:]+\s*(?:const\s*)?\*", "ordered by pointers"),
]
HEAVY_HEADERS = ("boost/asio", "boost/beast", "boost/json", "CLI/", "spdlog/", "SQLiteCpp/")
# Names of machines' folders; put together so that this file does not find itself.
MACHINE_PATHS = re.compile(r"(?<![\w./$}*-])/(?:ho" r"me/\w|ro" r"ot/|wo" r"rk/(?:main|sha" r"red|\.)|tmp/bu" r"ild)"
                           r"|\.\./sha" r"red\b")
OPEN_ENDS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b(?!\(#\d+\))")


def without_comments(text, keep_strings=False):
    """C++ text with comments (and the insides of strings) blanked; line breaks stay where they are."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        found = match.group(0)
        if not found.startswith("/") and keep_strings:
            return found
        return re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def room_levels(design_text):
    """{room: level} from the table of section 3: | 6 | `journals/` `clouds/` | … |"""
    levels = {}
    for level, rooms in re.findall(r"^\|\s*(\d+)\s*\|([^|]*)\|", design_text, re.M):
        for room in re.findall(r"`([a-z]+)/`", rooms):
            levels[room] = int(level)
    return levels


def room_of(path):
    """('clouds', 'clouds/host') for src/clouds/host/x.cpp, ('core', 'core') for src/core/x.cpp; else (None, None)."""
    parts = path.split("/")
    if parts[0] != "src" or len(parts) < 3:
        return None, None
    adapter = parts[1] in ("journals", "clouds", "engines") and len(parts) > 3
    return parts[1], "/".join(parts[1:3]) if adapter else parts[1]


def check_arrows(path, text, levels):
    room, full_room = room_of(path)
    if room is None:
        return
    if room not in levels:
        yield Finding(path, 1, "rooms", f"room {room}/ is not in the table of docs/design.md")
        return
    for match in re.finditer(r'^\s*#\s*include\s*"([^"]+)"', without_comments(text, keep_strings=True), re.M):
        target = "src/" + match.group(1)
        other, full_other = room_of(target)
        line = line_of(text, match.start(1))
        if other is None or other not in levels:
            yield Finding(path, line, "arrows", f'include "{match.group(1)}" names no room; write "room/file.hpp"')
        elif full_other == full_room or (room, other) in SAME_LEVEL_ALLOWED:
            continue
        elif levels[other] >= levels[room]:
            yield Finding(path, line, "arrows", f"{full_room} (level {levels[room]}) may not include "
                          f"{full_other} (level {levels[other]}): arrows point down only")


def check_pure(path, text):
    room, _ = room_of(path)
    if room not in PURE_ROOMS:
        return
    code = without_comments(text)
    for match in re.finditer(r"^\s*#\s*include\s*<([^>]+)>", code, re.M):
        header = match.group(1)
        banned = header in BANNED_HEADERS or header.startswith(BANNED_HEADER_FOLDERS)
        if banned and (path, header) not in ALLOWED_HEADERS:
            yield Finding(path, line_of(code, match.start(1)), "pure", f"<{header}> has no place in a pure room")
    for pattern, why in BANNED_CALLS:
        for match in re.finditer(pattern, code):
            yield Finding(path, line_of(code, match.start()), "pure", f"{match.group(0).strip()}: {why}")
    if room in INTEGER_ROOMS:
        for match in re.finditer(r"\b(?:float|double)\b", code):
            yield Finding(path, line_of(code, match.start()), "pure",
                          f"{match.group(0)}: decisions are made on integers, which are equal on every machine")


def check_text(path, text):
    """Rules for every text file."""
    suffix = pathlib.PurePosixPath(path).suffix
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield Finding(path, number, "blanks", "blanks or a carriage return at the end of the line")
        if "\t" in line and path != ".gitmodules":
            yield Finding(path, number, "tabs", "a tab; indent with spaces")
        length_max = PROSE_LENGTH_MAX if suffix == ".md" else LINE_LENGTH_MAX
        long_allowed = suffix in (".csv", ".json", ".test", ".txt") or (
            suffix == ".md" and (line.startswith("|") or "http" in line))
        if len(line) > length_max and not long_allowed:
            yield Finding(path, number, "line length", f"{len(line)} characters; at most {length_max}")
        found = MACHINE_PATHS.search(line)
        example = found and path.startswith("tests/unit/") and "/ho" "me/ada" in line  # the user of all examples
        if found and not example:
            yield Finding(path, number, "machine paths", "a path of one machine; take it from the environment")
        if OPEN_ENDS.search(line):
            yield Finding(path, number, "open ends", "an open end without its issue: NAME(#number)")
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield Finding(path, len(lines), "last line", "the file must end with exactly one line break")


def check_cpp(path, text):
    """Shape of a C++ file."""
    # A source file whose header bears its name leaves the explaining to that header.
    stem = re.escape(pathlib.PurePosixPath(path).stem)
    if not re.match(r'(?:// .*|#include "[^"]*\b' + stem + r'\.hpp")\n', text):
        yield Finding(path, 1, "opening comment", "a file starts with a comment that says what it is for")
    code = without_comments(text)
    if path.endswith(".hpp"):
        if not re.search(r"^#pragma once$", code, re.M):
            yield Finding(path, 1, "pragma once", "a header needs #pragma once")
        for match in re.finditer(r"^\s*#\s*include\s*<([^>]+)>", code, re.M):
            if match.group(1).startswith(HEAVY_HEADERS):
                yield Finding(path, line_of(code, match.start(1)), "heavy headers",
                              f"<{match.group(1)}> belongs into .cpp files")
    for match in re.finditer(r"\busing\s+namespace\b(?!\s+std::\w*literals)", code):
        yield Finding(path, line_of(code, match.start()), "using namespace", "write the names out")


def functions(text):
    """(first line, name, lines) of each function that is defined at the left margin, as clang-format lays them out."""
    start = None
    lines = without_comments(text).split("\n")
    for number, line in enumerate(lines, 1):
        if re.match(r"[A-Za-z_~\[]", line) and not line.startswith(("namespace", "using", "template", "requires")):
            start = number
        elif line == "}" and start is not None:
            header = " ".join(part.strip() for part in lines[start - 1:start + 5])
            name = re.search(r"([\w:~]+|operator\S+)\s*\(", header)
            yield start, name.group(1) if name else header[:30], number - start + 1
            start = None
        elif line.startswith("}"):
            start = None


def long_code(path, text):
    """{what: lines} of what is longer than it should be."""
    suffix = pathlib.PurePosixPath(path).suffix
    is_script = path.startswith("script/")
    if suffix not in CODE and not is_script:
        return {}
    found = {}
    count = text.count("\n")
    if count > (TEST_FILE_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX):
        found[path] = count
    if suffix in CPP and path.startswith("src/"):
        for _, name, length in functions(text):
            if length > FUNCTION_LINES_MAX:
                found[f"{path}:{name}"] = length
    return found


def check_ratchet(found, allowed):
    """What is long may not grow, and what has shrunk gives its allowance back."""
    for what, count in sorted(found.items()):
        if what not in allowed:
            yield Finding(what, 1, "length", f"{count} lines; split it (files {FILE_LINES_MAX}, tests "
                          f"{TEST_FILE_LINES_MAX}, functions {FUNCTION_LINES_MAX})")
        elif count > allowed[what]:
            yield Finding(what, 1, "length", f"grew from {allowed[what]} to {count} lines; it may only shrink")
    for what, count in sorted(allowed.items()):
        if count - found.get(what, 0) > 10:
            yield Finding(RATCHET, 1, "length", f"{what} has {found.get(what, 'few')} lines now: lower its {count}")


def read_ratchet(text):
    entries = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {what: int(count) for what, count in entries}


def source_files(root):
    try:
        command = ["git", "-C", str(root), "ls-files", "-z", "-c", "-o", "--exclude-standard"]
        listed = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):  # a source archive without git
        listed = [str(p.relative_to(root)) for p in root.rglob("*") if not {"build", ".git"} & set(p.parts)]
    for name in sorted(set(listed)):
        if name and (root / name).is_file():
            yield name


def check_file(path, text, levels):
    yield from check_text(path, text)
    if pathlib.PurePosixPath(path).suffix in CPP:
        yield from check_cpp(path, text)
        yield from check_arrows(path, text, levels)
        yield from check_pure(path, text)


def check_tree(root):
    levels = room_levels((root / "docs/design.md").read_text())
    if not PURE_ROOMS | {"ports", "wire", "control", "programs"} <= set(levels):
        yield Finding("docs/design.md", 1, "rooms", "the table of the rooms cannot be read")
    found = {}
    for path in source_files(root):
        try:
            text = (root / path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue  # pictures, archives
        if path == "LICENSE" or path.startswith("tests/fuzz/corpus/"):
            continue
        yield from check_file(path, text, levels)
        found.update(long_code(path, text))
    ratchet = root / RATCHET
    yield from check_ratchet(found, read_ratchet(ratchet.read_text()) if ratchet.exists() else {})


def main():
    if sys.argv[1:] == ["--ratchet"]:
        for path in source_files(ROOT):
            if pathlib.PurePosixPath(path).suffix in CODE or path.startswith("script/"):
                for what, count in long_code(path, (ROOT / path).read_text()).items():
                    print(what, count)
        return 0
    findings = list(check_tree(ROOT))
    for finding in findings:
        print(f"{finding.path}:{finding.line}: {finding.rule}: {finding.text}")
    print(f"tidy: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
