"""How long a study takes on how many workers, and what limits it: ``python -m benchmark.makespan``.

A simulation with measured times: the longest run starts first on the worker that is free first, as
`benchmark.cluster` has it; before its first run a worker loads the libraries and gets the faces over the one line that
all share, after each the artifact comes back over it.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark.arguments import count
from benchmark.leaderboard import finished, firsts
from benchmark.schedule import REFERENCE, in_words
from benchmark.store import Record, Store, current_records

START_SECONDS = 6.0  # of a worker's libraries, TensorFlow's import the most of it
LINE_MB_PER_SECOND = 100.0  # of what one line of a gigabit carries
FACES_MB = 83.0  # FER2013's 35,887 faces


@dataclass(frozen=True)
class Task:
    """A run: seconds at work, and MB of what comes back."""

    seconds: float
    megabytes: float


def makespan(tasks: Sequence[Task], workers: int) -> float:
    """Return the seconds from the start to the end of the last of `tasks` on `workers` workers."""
    line = 0.0  # when the line is free
    free = []
    for _ in range(min(workers, len(tasks))):
        line += FACES_MB / LINE_MB_PER_SECOND
        free.append(line + START_SECONDS)
    heapq.heapify(free)
    ends = []
    for task in sorted(tasks, key=lambda task: -task.seconds):
        ends.append((heapq.heappop(free) + task.seconds, task.megabytes))
        heapq.heappush(free, ends[-1][0])
    for end, megabytes in sorted(ends):
        line = max(line, end) + megabytes / LINE_MB_PER_SECOND
    return line


def simulate(records: Sequence[Record], times: int, workers: Sequence[int]) -> pd.DataFrame:
    """Return a row for each number of workers.

    Parameters
    ----------
    records : sequence of dict
        Finished runs, one a recognizer; ensembles take no worker.
    times : int
        How many runs of each there are: seeds, class weights and protocols together.
    workers : sequence of int

    Returns
    -------
    DataFrame
        Index workers: ``seconds`` that the study takes; ``speedup`` and ``efficiency`` against the same runs one after
        the other; ``efficiency_bound``, which no schedule exceeds, since none is over before its longest run.
    """
    costs = [record["cost"] for record in records if not record.get("members")]
    tasks = [Task(cost["fit_seconds"], cost["artifact_mb"]) for cost in costs] * times
    total = sum(task.seconds for task in tasks)
    longest = max(task.seconds for task in tasks)
    rows = {}
    for number in workers:
        seconds = makespan(tasks, number)
        rows[number] = {
            "seconds": seconds,
            "speedup": total / seconds,
            "efficiency": total / seconds / number,
            "efficiency_bound": min(1.0, total / longest / number),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("workers")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 where there are no records."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.makespan",
        description="Simulate a study on a cluster, with the times that its records hold.",
    )
    option = parser.add_argument
    option(
        "root", nargs="?", type=Path, default=Path("results") / REFERENCE, metavar="DIR", help="(default: %(default)s)"
    )
    option("--times", type=count(1), default=30, metavar="N", help="runs of each recognizer (default: %(default)s)")
    option("--workers", type=count(1), nargs="+", default=[1, 8, 64, 512], metavar="N", help="(default: %(default)s)")
    args = parser.parse_args(argv)
    records = list(firsts(finished(current_records(Store(args.root)))).values())
    if not any(not record.get("members") for record in records):
        print(f"error: {args.root}: no finished run: python -m benchmark.run makes them", file=sys.stderr)
        return 2
    table = simulate(records, args.times, args.workers)
    longest = max(records, key=lambda record: 0 if record.get("members") else record["cost"]["fit_seconds"])
    print(table.to_string(float_format="%.2f"))
    print(f"\nThe longest run, {longest['recognizer']}, takes {in_words(longest['cost']['fit_seconds'])}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
