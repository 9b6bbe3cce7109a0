#!/usr/bin/env python3
"""Runs decoder-bench and PyTorch by turns on one core, and prints medians and ratios.

A job of 20 documents on a decoder in the shape of Qwen3-0.6B with random weights; 72 tokens of each
pair are shared, 100 and 11 follow. Each measurement is a process of its own."""

import argparse
import json
import os
import statistics
import subprocess
import sys

SUBJECTS = [
    ("engine", "w8a16"), ("engine", "bf16"), ("PyTorch", "bf16"), ("engine", "fp32"),
    ("PyTorch", "fp32"),
]


def main():
    parser = argparse.ArgumentParser(prog="Tests/Benchmarks/decoder/run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of about four minutes each (3)")
    parser.add_argument("--json", metavar="FILE", help="write all measurements there")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("driver", help=argparse.SUPPRESS)
    parser.add_argument("model", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    peer = [sys.executable, os.path.join(os.path.dirname(__file__), "peer.py")]
    found = {subject: [] for subject in SUBJECTS}
    for round_number in range(options.rounds):
        for name, precision in SUBJECTS:
            print(f"round {round_number + 1}: {name} {precision}", file=sys.stderr)
            program = [options.driver] if name == "engine" else peer
            done = subprocess.run(
                [*program, options.model, precision], env=environment, check=True,
                stdout=subprocess.PIPE, text=True)
            found[name, precision].append(json.loads(done.stdout))
    medians = {
        subject: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for subject, runs in found.items()
    }
    print("CPU-seconds a job        whole   shared   gain   peak MB   of PyTorch, same precision")
    for (name, precision), median in medians.items():
        # PyTorch has no such weights: bf16 is what its users would take.
        rival = medians["PyTorch", "bf16" if precision == "w8a16" else precision]
        ratio = "" if name == "PyTorch" else f"{median['shared'] / rival['shared']:.2f}"
        print(
            f"{name + ' ' + precision:<22}{median['whole']:>8.2f} {median['shared']:>8.2f} "
            f"{median['whole'] / median['shared']:>6.2f} {median['peak_megabytes']:>9.0f}   {ratio}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(
                [{"subject": name, "precision": precision, "runs": runs}
                 for (name, precision), runs in found.items()], file, indent=2)


if __name__ == "__main__":
    main()
