#!/usr/bin/env python3
# Do the errors of `virga plan --validate` grow with size, GPU count or year? Prints one table for each.
#
#   virga plan --validate FILE.csv --json | bench/twin_residuals.py
#
# Only times and rates within the calibrated range; the error is that of the time, above 0 where the prediction is
# slower.
import collections
import json
import re
import sys

RATES = {"TFLOP/s", "tokens/s"}
TIMES = {"s"}
YEARS = (("SC'21", 2021), ("Megatron-LM@", 2021), ("vTrain", 2023), ("bigscience", 2022), ("seqsel", 2022),
         ("v3.", 2023), ("v4.", 2024), ("v5.", 2025), ("24.07", 2024), ("Megatron-Bridge", 2026))
SIZES = ((10, "below 10B"), (100, "10B to 100B"), (1e9, "100B and more"))
GPUS = ((16, "1 to 16"), (128, "17 to 128"), (512, "129 to 512"), (2048, "513 to 2,048"), (1 << 30, "above 2,048"))


def error_of(row):
    if row["unit"] in RATES:
        return row["measured"] / row["predicted"] - 1
    return row["predicted"] / row["measured"] - 1


def year_of(row):
    return next((year for word, year in YEARS if word in row["source"]), None)


def size_of(row):
    found = re.search(r"(\d+(?:\.\d+)?)\s*([BT])\b", row["model"].replace("_", " "), re.I)
    if not found:
        return None
    billions = float(found.group(1)) * (1000 if found.group(2).upper() == "T" else 1)
    return next(text for limit, text in SIZES if billions < limit)


def gpus_of(row):
    return next(text for limit, text in GPUS if row["gpus"] <= limit)


def main():
    rows = [row for row in json.load(sys.stdin)["rows"]
            if row["predicted"] and not row["outside_calibration"] and row["unit"] in RATES | TIMES]
    for title, of in (("model size", size_of), ("GPUs", gpus_of), ("year", year_of)):
        bins = collections.defaultdict(list)
        for row in rows:
            if of(row) is not None:
                bins[of(row)].append(error_of(row))
        print(f"| {title} | rows | mean signed error | mean error |\n|---|---|---|---|")
        for key in sorted(bins, key=lambda k: (len(str(k)), str(k)) if title != "year" else k):
            errors = bins[key]
            mean = 100 * sum(errors) / len(errors)
            size = 100 * sum(abs(e) for e in errors) / len(errors)
            print(f"| {key} | {len(errors)} | {mean:+.1f} % | {size:.1f} % |")
        print()


if __name__ == "__main__":
    main()
