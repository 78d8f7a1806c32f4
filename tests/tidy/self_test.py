#!/usr/bin/env python3
# The tidy test must go red when it should: each rule gets a tiny text that breaks it, and good texts that do not.
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tidy  # noqa: E402

LEVELS = tidy.room_levels("| 8 | `cli/` | |\n| 7 | `control/` | |\n| 6 | `journals/` `clouds/` `engines/` | |\n"
                          "| 5 | `wire/` | |\n| 5 | `ports/` | |\n| 4 | `brain/` | |\n| 2 | `core/` | |\n"
                          "| 0 | `base/` | |\n")
HEAD = "// What this is for.\n#pragma once\n"


def rules(path, text):
    return {finding.rule for finding in tidy.check_file(path, text, LEVELS)}


class Tidy(unittest.TestCase):
    def refused(self, rule, path, text):
        self.assertIn(rule, rules(path, text), text)

    def accepted(self, path, text):
        self.assertEqual(set(), rules(path, text), text)

    def test_arrows(self):
        self.accepted("src/brain/x.hpp", HEAD + '#include "core/job.hpp"\n#include "brain/y.hpp"\n')
        self.accepted("src/clouds/host/x.hpp", HEAD + '#include "clouds/host/y.hpp"\n#include "wire/home.hpp"\n')
        self.accepted("src/core/x.hpp", HEAD + '// #include "brain/y.hpp"\n')
        for path, target in [("src/core/x.hpp", "brain/y.hpp"), ("src/brain/x.hpp", "ports/y.hpp"),
                             ("src/clouds/host/x.hpp", "engines/local/y.hpp"),
                             ("src/clouds/host/x.hpp", "clouds/sim/y.hpp"), ("src/wire/x.hpp", "ports/y.hpp"),
                             ("src/wire/x.hpp", "y.hpp"), ("src/wire/x.hpp", "../core/y.hpp")]:
            self.refused("arrows", path, HEAD + f'#include "{target}"\n')
        self.refused("rooms", "src/attic/x.hpp", HEAD)

    def test_pure_rooms_ask_nobody(self):
        self.accepted("src/brain/x.hpp", HEAD + "// std::chrono, rand() and float are banned here\n"
                      'inline const char* k = "time(nullptr)";\nint next_time(int);\n'
                      'int f(State s) { return s.time(); }\n')
        self.accepted("src/clouds/host/x.hpp", HEAD + "#include <chrono>\nusing Clock = std::chrono::steady_clock;\n")
        for header in ["chrono", "random", "thread", "mutex", "fstream", "iostream", "unordered_map", "sys/socket.h",
                       "unistd.h", "boost/asio.hpp", "time.h"]:
            self.refused("pure", "src/core/x.hpp", HEAD + f"#include <{header}>\n")
        for call in ["int x = rand();", "auto t = time(nullptr);", 'auto e = std::getenv("X");',
                     "auto h = std::hash<int>{}(3);", "std::unordered_map<int, int> m;", "std::thread t;",
                     "std::map<Job*, int> m;", "std::set<const Job*> s;", "auto n = std::chrono::system_clock::now();",
                     "double price = 0.5;", "float x;", 'printf("x");', "std::cout << 1;", "thread_local int x;"]:
            self.refused("pure", "src/brain/x.hpp", HEAD + call + "\n")

    def test_text(self):
        self.refused("tabs", "a.py", "if x:\n\ty\n")
        self.refused("blanks", "a.py", "x \n")
        self.refused("blanks", "a.py", "x\r\n")
        self.refused("line length", "a.py", "x" * 121 + "\n")
        self.accepted("a.py", "x" * 120 + "\n")
        self.accepted("docs/a.md", "|" + "x" * 200 + "\n")
        self.refused("line length", "docs/a.md", "x" * 141 + "\n")
        self.refused("last line", "a.py", "x")
        self.refused("last line", "a.py", "x\n\n")
        for path in ["/ho" "me/ada/x", "cd /wo" "rk/main", '"/ro' 'ot/x"', "../sha" "red/x", "/tmp/bu" "ild-x"]:
            self.refused("machine paths", "a.py", path + "\n")
        self.accepted("tests/unit/wire/a.txt", "/ho" "me/ada/x\n")
        self.refused("machine paths", "tests/unit/wire/a.txt", "/ho" "me/bob/x\n")
        self.accepted("a.py", "$HOME/work and /work_dir and /homes\n")
        self.refused("open ends", "a.py", "# TO" "DO: later\n")
        self.refused("open ends", "a.py", "# FIX" "ME\n")
        self.accepted("a.py", "# TO" "DO(#12): later\n")

    def test_cpp(self):
        self.refused("opening comment", "src/core/x.cpp", '#include "core/job.hpp"\n')
        self.accepted("src/brain/brain.cpp", '#include "brain/brain.hpp"\n')
        self.refused("opening comment", "src/brain/facts.cpp", '#include "brain/brain.hpp"\n')
        self.refused("pragma once", "src/core/x.hpp", "// Purpose.\nint x;\n")
        self.refused("using namespace", "src/core/x.cpp", "// Purpose.\nusing namespace std;\n")
        self.accepted("src/core/x.cpp", "// Purpose.\nusing namespace std::string_literals;\n")
        self.refused("heavy headers", "src/wire/x.hpp", HEAD + "#include <boost/asio.hpp>\n")
        self.accepted("src/wire/x.cpp", "// Purpose.\n#include <boost/asio.hpp>\n")

    def test_lengths_are_a_ratchet(self):
        body = "  x();\n" * 80
        text = HEAD + "int short_one() {\n  return 1;\n}\n\nvoid Long::one(int a,\n    int b) {\n" + body + "}\n"
        self.assertEqual({"src/core/x.cpp:Long::one": 83}, tidy.long_code("src/core/x.cpp", text))
        self.assertEqual({"src/core/x.cpp": 501}, tidy.long_code("src/core/x.cpp", "//\n" * 501))
        self.assertEqual({}, tidy.long_code("tests/unit/x.cpp", "//\n" * 600))
        self.assertEqual({"script/x": 501}, tidy.long_code("script/x", "#\n" * 501))

        def complaints(found, allowed):
            return [finding.text for finding in tidy.check_ratchet(found, allowed)]
        self.assertEqual([], complaints({"a": 510}, {"a": 510}))
        self.assertEqual([], complaints({"a": 505}, {"a": 510}))
        self.assertIn("grew", complaints({"a": 511}, {"a": 510})[0])
        self.assertIn("split it", complaints({"a": 511}, {})[0])
        self.assertIn("lower its 600", complaints({"a": 511}, {"a": 600})[0])
        self.assertIn("lower its 600", complaints({}, {"a": 600})[0])

    def test_a_tree_without_git_is_read_too(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "docs").mkdir()
            (root / "src/core").mkdir(parents=True)
            (root / "docs/design.md").write_text("no table\n")
            (root / "src/core/x.hpp").write_text("int x; \n")
            found = {finding.rule for finding in tidy.check_tree(root)}
            self.assertLessEqual({"rooms", "blanks", "pragma once"}, found)

    def test_the_real_table_is_read(self):
        levels = tidy.room_levels((tidy.ROOT / "docs/design.md").read_text())
        self.assertEqual((0, 2, 4, 5, 5, 6, 7, 8, 8, 9), tuple(levels[room] for room in (
            "base", "core", "brain", "ports", "wire", "clouds", "control", "http", "cli", "programs")))
        for room in (tidy.ROOT / "src").iterdir():
            if room.is_dir():
                self.assertIn(room.name, levels)


if __name__ == "__main__":
    unittest.main()
