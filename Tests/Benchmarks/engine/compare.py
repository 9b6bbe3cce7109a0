"""The embedded engine and its peers on one pinned core, interleaved in one run.

    compare.py [--quick] [--json FILE] [--peers PART,…] DRIVER MODELS

Every process is given the same workloads round after round; a figure is the best of its rounds, in pairs
a second of processor time, since a shared machine only ever makes a round slower. A peer's batch is
the best of several, found first. Ratios are against the best peer of the workload.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS = ("128", "mixed")
BATCHES = (1, 4, 8, 32)
TARGETS = {"int8": 1.7, "bf16": 1.45, "fp32": 1.2}


class Process:
    """A peer or the engine, started, warm and waiting for the name of a workload."""

    def __init__(self, name, command, core, is_peer=False):
        self.name, self.is_peer, self.core = name, is_peer, core
        self.batch = {workload: 1 for workload in WORKLOADS}
        self.best = {}
        started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=self.pin, env=dict(os.environ, OMP_NUM_THREADS="1"))
        self.ready = self.read()
        self.cold_start = time.perf_counter() - started
        self.peak = self.ready["peak_mb"]

    def pin(self):
        if self.core is not None:
            os.sched_setaffinity(0, {self.core})

    def read(self):
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"{self.name} ended: {self.process.wait()}")
            if line.startswith("{"):
                return json.loads(line)

    def ask(self, workload, batch=None):
        line = f"{workload} {batch or self.batch[workload]}" if self.is_peer else workload
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        result = self.read()
        self.peak = max(self.peak, result["peak_mb"])
        return result

    def measure(self, workload):
        result = self.ask(workload)
        for kind in ("cpu", "wall"):
            rate = result["pairs"] / result[kind]
            key = (workload, kind)
            self.best[key] = max(self.best.get(key, 0), rate)

    def find_batches(self):
        for workload in WORKLOADS:
            self.ask(workload, 8)
            times = {size: self.ask(workload, size)["cpu"] for size in BATCHES}
            self.batch[workload] = min(times, key=times.get)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def peers(models):
    script = [sys.executable, str(HERE / "peer.py")]
    for stem in ("plain", "fused"):
        for kind in ("", "-int8", "-int8-channel"):
            yield f"onnxruntime {stem}{kind or '-fp32'}", script + ["ort", f"{models}/{stem}{kind}.onnx"]
    for precision in ("f32", "bf16"):
        yield f"openvino {precision}", script + ["openvino", f"{models}/plain.onnx", precision]
    yield "openvino int8", script + ["openvino", f"{models}/plain-int8.onnx", "f32"]
    for precision in ("fp32", "bf16"):
        yield f"torch {precision}", script + ["torch", f"{models}/hf", precision]


def start_peers(arguments, core):
    started = []
    for name, command in peers(arguments.models):
        if arguments.peers and not any(part in name for part in arguments.peers.split(",")):
            continue
        try:
            process = Process(name, command, core, is_peer=True)
            process.find_batches()
            started.append(process)
        except SystemExit as why:
            print(f"left out: {why}")
    return started


def start_engines(arguments, core):
    for precision in TARGETS:
        options = [arguments.driver, "--model", f"{arguments.models}/hf", "--precision", precision]
        yield Process(f"rerankd {precision}", options, core)
        yield Process(
            f"rerankd {precision}, whole last layer", options + ["--whole-last-layer"], core)


def cold_start(command, core, times):
    """The least seconds from a process's start to its first score, and its peak memory by then."""
    runs = []
    for _ in range(times):
        process = Process("cold start", command, core)
        process.end()
        runs.append((process.cold_start, process.peak))
    return min(runs)


def print_table(processes, results):
    print(f"\n{'pairs a CPU-second':40} {'128':>8} {'mixed':>8} {'batch':>9} {'wall 128':>9} {'first':>8} {'peak':>8}")
    for one in processes:
        rates = [one.best[workload, "cpu"] for workload in WORKLOADS]
        batch = "/".join(str(one.batch[w]) for w in WORKLOADS) if one.is_peer else ""
        print(
            f"{one.name:40} {rates[0]:8.1f} {rates[1]:8.1f} {batch:>9} {one.best['128', 'wall']:9.1f} "
            f"{one.cold_start * 1000:5.0f} ms {one.peak:5} MB")
        results[one.name] = dict(
            cpu=dict(zip(WORKLOADS, rates)), wall={w: one.best[w, "wall"] for w in WORKLOADS},
            batch=one.batch if one.is_peer else None, first_seconds=one.cold_start,
            peak_mb=one.peak, logit=one.ready["logit"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="three rounds, and few peers")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--peers", help="only those whose names have one of these parts")
    parser.add_argument("driver")
    parser.add_argument("models")
    arguments = parser.parse_args()
    if arguments.quick and not arguments.peers:
        arguments.peers = "plain-int8,fused-int8,torch"
    rounds = 3 if arguments.quick else 9
    cores = sorted(os.sched_getaffinity(0))
    core = cores[-1]
    print(f"core {core} of {len(cores)}, {rounds} rounds")

    competitors = start_peers(arguments, core)
    engines = list(start_engines(arguments, core))
    processes = competitors + engines
    for one in engines:
        for workload in WORKLOADS:
            one.ask(workload)
    for _ in range(rounds):
        for workload in WORKLOADS:
            for one in processes:
                one.measure(workload)
    results = {}
    print_table(processes, results)

    if competitors:
        print()
        for workload in WORKLOADS:
            best = max(competitors, key=lambda p: p.best[workload, "cpu"])
            bar = best.best[workload, "cpu"]
            for precision, target in TARGETS.items():
                # A peer of the same precision or a wider one is what a user of it would run instead.
                group = [p for p in competitors if peer_precision(p.name) == precision]
                if not group:
                    continue
                rival = max(group, key=lambda p: p.best[workload, "cpu"])
                mine = next(p for p in engines if p.name == f"rerankd {precision}")
                ratio = mine.best[workload, "cpu"] / rival.best[workload, "cpu"]
                print(
                    f"{workload:>6} {precision}: {ratio:.2f} × {rival.name} (aim {target}), "
                    f"{mine.best[workload, 'cpu'] / bar:.2f} × the best of all, {best.name}")
                results[f"ratio {precision} {workload}"] = ratio
    for one in processes:
        one.end()

    first, peak = cold_start([arguments.driver], core, 3 if arguments.quick else 10)
    print(f"\nbuilt-in model: first score after {first * 1000:.0f} ms, peak {peak} MB by then")
    builtin = Process("built-in", [arguments.driver], core)
    # In its vocabulary the benchmark's words are three pieces each, so these are longer than 128.
    builtin.ask("128")
    tokenizing = min(builtin.ask("tokenize")["cpu"] for _ in range(5))
    answer = builtin.ask("tokenize")
    print(
        f"built-in model: peak {builtin.peak} MB after scoring; tokenizing "
        f"{tokenizing / answer['pairs'] * 1000:.4f} ms a pair of "
        f"{answer['tokens'] / answer['pairs']:.0f} tokens")
    builtin.end()
    results["built-in"] = dict(
        first_seconds=first, peak_mb=builtin.peak,
        tokenizing_ms=tokenizing / answer["pairs"] * 1000)

    if len(cores) > 1:
        lanes = {}
        options = ["--model", f"{arguments.models}/hf", "--precision", "int8", "--lanes"]
        running = {
            n: Process(f"{n} lanes", [arguments.driver] + options + [str(n)], None) for n in (1, 2)}
        for _ in range(rounds):
            for count, process in running.items():
                lanes[count] = min(lanes.get(count, 1e9), process.ask("large")["wall"])
        for process in running.values():
            process.end()
        print(f"two lanes: {lanes[1] / lanes[2]:.2f} × one, by the clock")
        results["two lanes"] = lanes[1] / lanes[2]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def peer_precision(name):
    for precision in ("int8", "bf16"):
        if precision in name:
            return precision
    return "fp32"


if __name__ == "__main__":
    main()
