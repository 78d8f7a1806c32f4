#!/usr/bin/env python3
# Do the errors of `virga plan --validate` grow with size, GPU count or year? Prints one table for each.
#
#   virga plan --validate FILE.csv --json | bench/twin_residuals.py [--svg docs/accuracy.svg]
#
# --svg draws each row as a point, too: its error over size, GPU count and year, with the mean of each bin.
# Only times and rates within the calibrated range; the error is that of the time, above 0 where the prediction is
# slower.
import argparse
import collections
import json
import math
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


def billions_of(row):
    found = re.search(r"(\d+(?:\.\d+)?)\s*([BT])\b", row["model"].replace("_", " "), re.I)
    return float(found.group(1)) * (1000 if found.group(2).upper() == "T" else 1) if found else None


def size_of(row):
    billions = billions_of(row)
    return None if billions is None else next(text for limit, text in SIZES if billions < limit)


def gpus_of(row):
    return next(text for limit, text in GPUS if row["gpus"] <= limit)


def wrapped(points):
    return "\n".join("".join(points[i:i + 8]) for i in range(0, len(points), 8))


def panel(rows, left, title, of, ticks, spread):
    """Points of `of(row)` between the first and the last tick, on a logarithmic axis unless they are years."""
    width, height, top, most = 280, 240, 40, 0.4
    scale = (lambda v: v) if title == "year" else math.log10
    low, high = scale(ticks[0]), scale(ticks[-1])

    def x(value):
        return left + width * (scale(value) - low) / (high - low)

    def y(error):
        return top + height * (0.5 - max(-most, min(most, error)) / (2 * most))

    out = [f'<rect x="{left}" y="{top}" width="{width}" height="{height}" class="frame"/>',
           f'<text x="{left + width / 2}" y="{top - 12}" class="title">{title}</text>']
    for tick in ticks:
        out.append(f'<text x="{x(tick):.0f}" y="{top + height + 16}" class="tick">{tick:,}</text>'.replace(
            ",", "" if title == "year" else ","))
    for percent in (-40, -20, 0, 20, 40):
        out.append(f'<path d="M{left} {y(percent / 100):.1f}h{width}" class="{"zero" if percent == 0 else "grid"}"/>')
        out.append(f'<text x="{left - 6}" y="{y(percent / 100) + 4:.1f}" class="percent">{percent:+d} %</text>')
    values = collections.defaultdict(list)
    points = []
    for number, row in enumerate(rows):
        value = of(row)
        if value is None:
            continue
        shift = ((number * 7919) % 101 / 100 - 0.5) * spread  # so that equal runs do not hide each other
        points.append(f"M{x(value) + shift:.0f} {y(error_of(row)):.0f}h0")
        values[next((t for t in ticks if value <= t), ticks[-1])].append((x(value), error_of(row)))
    out.append(f'<path class="points" d="{wrapped(points)}"/>')
    means = [(sum(p[0] for p in v) / len(v), sum(p[1] for p in v) / len(v)) for _, v in sorted(values.items())]
    out.append('<path d="M' + "L".join(f"{at:.1f} {y(mean):.1f}" for at, mean in means) + '" class="mean"/>')
    return "\n".join(out)


def svg_of(rows):
    style = """
text{font:12px sans-serif;fill:#333;text-anchor:middle}.percent{text-anchor:end}.title{font-weight:bold}
.frame{fill:#fff;stroke:#999}.grid{stroke:#ddd}.zero{stroke:#666}.mean{fill:none;stroke:#c0392b;stroke-width:2}
.points{fill:none;stroke:#2a6fb0;stroke-width:4;stroke-linecap:round;stroke-opacity:.45}
"""
    panels = (panel(rows, 60, "billion parameters", billions_of, (0.3, 1, 10, 100, 1000), 6),
              panel(rows, 400, "GPUs", lambda row: row["gpus"], (1, 10, 100, 1000, 10000), 6),
              panel(rows, 740, "year", year_of, (2020, 2021, 2022, 2023, 2024, 2025, 2026, 2027), 24))
    body = "\n".join(panels)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1040 310">\n<style>{style}</style>\n'
            f'<rect width="1040" height="310" fill="#fff"/>\n{body}\n</svg>\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--svg")
    arguments = parser.parse_args()
    rows = [row for row in json.load(sys.stdin)["rows"]
            if row["predicted"] and not row["outside_calibration"] and row["unit"] in RATES | TIMES]
    if arguments.svg:
        with open(arguments.svg, "w", encoding="utf-8") as file:
            file.write(svg_of(rows))
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
