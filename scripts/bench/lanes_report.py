"""The full report's tables as CSV, and plots of them by gnuplot."""
import csv
import shutil
import subprocess

PLOT = """\
set terminal svg size 900,480 noenhanced
set output "{out}"
set datafile separator ","
set style data histograms
set style histogram {style}
set style fill solid 0.8
set ylabel "{label}"
set yrange [0:*]
set key outside
plot {series}
"""


def write_csv(folder, name, header, rows):
    with open(folder / f"{name}.csv", "w", newline="") as out:
        table = csv.writer(out)
        table.writerow(header)
        table.writerows(rows)


def plot(folder, name, columns, label, style="clustered"):
    series = ", ".join(f'"{folder / name}.csv" using {n}:xtic(1) title columnheader({n})' for n in columns)
    script = PLOT.format(out=folder / f"{name}.svg", style=style, label=label, series=series)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def write(folder, result, stages):
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder, "rates", ["", "Mpps"], [[n, result[f"mpps_{n}"]] for n in ("testpmd", "clear", "sealed")])
    under_way = result["under_way"]
    write_csv(folder, "under_way", ["packets under way", *under_way],
              [[n, *(rates.get(n, "") for rates in under_way.values())]
               for n in sorted({n for rates in under_way.values() for n in rates})])
    write_csv(folder, "cycles", ["", *stages],
              [[n, *(result[k][s] for s in stages)] for n, k in (("clear", "cycles_clear"), ("sealed", "cycles"))])
    write_csv(folder, "rtt", ["", "p50", "p99", "p99.9", "max"],
              [[kind, *(rtt[q] for q in ("p50", "p99", "p99.9", "max"))] for kind, rtt in result["rtt_us"].items()])
    write_csv(folder, "loss_free", ["", "Mpps"], [[n, r] for n, r in result.get("loss_free_mpps", {}).items()])
    rows = [(f"{kind} {lanes}", row) for kind, of in result.get("ports", {}).items() for lanes, row in of.items()]
    write_csv(folder, "ports", ["", "rate", "loss-free"],
              [[name, row["mpps"], row["loss_free_mpps"]] for name, row in rows])
    write_csv(folder, "deltas", ["", "thousand deltas a second"],
              [[name, row["deltas"]["deltas_per_s"] / 1000] for name, row in rows])
    write_csv(folder, "mixed", ["", "p50", "p99", "p99.9", "max", "probes", "lost", "late"],
              [[name, *((row["deltas"]["half"]["rtt_us"] or {}).get(q, "") for q in ("p50", "p99", "p99.9", "max")),
                *(row["deltas"]["half"]["probes"][n] for n in ("sent", "lost", "late"))] for name, row in rows])
    if shutil.which("gnuplot"):
        plot(folder, "rates", [2], "million answers a second, one lane")
        plot(folder, "under_way", [2, 3, 4], "million answers a second, by packets under way")
        plot(folder, "cycles", range(2, 2 + len(stages)), "cycles an answer", "rowstacked")
        plot(folder, "rtt", [2, 3, 4], "microseconds")
        plot(folder, "ports", [2, 3], "million sealed answers a second, by port and lanes")
        plot(folder, "deltas", [2], "thousand records a second, by port and lanes")
        plot(folder, "mixed", [2, 3, 4], "microseconds of a probe beside records")
