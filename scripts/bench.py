"""Measures how fast recordings are heard. Run it by scripts/bench, which builds the program and provides scipy.

Every job is a process of its own, whose CPU seconds (user and system) and highest resident memory the system tells:
for jiho of the whole process, for scipy without starting and importing. CPU seconds, because other work on the machine
lengthens the wall clock; it also lengthens CPU seconds where cores share caches or are virtual: so only figures of one
run compare, the jobs that are compared take turns, and of each the least counts.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

parser = argparse.ArgumentParser(prog="scripts/bench", description="How fast recordings are heard.")
parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
parser.add_argument("--rounds", type=int, default=3, help="how often each compared job runs (default: 3)")
parser.add_argument("--minutes", type=int, default=10, help="length for comparing with scipy (default: 10)")
parser.add_argument("--longest", type=int, default=180, help="the longest recording, in minutes (default: 180)")
parser.add_argument("--crowd-minutes", type=int, default=2, help="length for 1 to 64 codes (default: 2)")
args = parser.parse_args()

RATE = 48_000
MIB_PER_UNIT = 1 / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Job(NamedTuple):
    cpu: float
    wall: float
    mib: float
    output: str


def run(*command: object, threads: int = 1) -> Job:
    limit = {name: str(threads) for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    begun = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, env=os.environ | limit)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))}: exit code {process.returncode}")
    wall = time.perf_counter() - begun
    return Job(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * MIB_PER_UNIT, output)


def speed(*words: object, codes: int = 8, threads: int = 1) -> Job:
    return run(args.program, *words, "--codes", codes, threads=threads)


def hear(*recordings: Path, codes: int = 8, threads: int = 1) -> Job:
    job = speed("hear", *recordings, codes=codes, threads=threads)
    found, kib = job.output.split()
    # The system's figure is at least this program's own memory, which is more than jiho's.
    return job._replace(output=found, mib=int(kib) / 1024 or job.mib)


def matched_filters(method: str, recording: Path, templates: Path) -> Job:
    job = run(sys.executable, Path(__file__).with_name("matched_filters.py"), method, recording, templates)
    cpu, found = job.output.split()
    return job._replace(cpu=float(cpu), output=found)


def heard(job: Job, beeps: int) -> str:
    return f"{100 * int(job.output) / beeps:.4g} %"


def length(minutes: int) -> str:
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def lengths(folder: Path) -> None:
    print("\n8 codes, all at the same instants, by length of the recording; one thread")
    print("   length     CPU s   s per hour   × real time   peak MiB   beeps heard")
    recording = folder / "long.wav"
    for minutes in [m for m in (1, 10, 60, 180) if m <= args.longest]:
        speed("render", recording, "--seconds", 60 * minutes)
        job = hear(recording)
        recording.unlink()
        print(
            f"{length(minutes):>9}  {job.cpu:8.2f}  {job.cpu * 60 / minutes:10.2f}  {60 * minutes / job.cpu:12.0f}"
            f"  {job.mib:9.1f}   {heard(job, 8 * 60 * minutes):>11}",
            flush=True,
        )


def crowds(folder: Path) -> None:
    minutes = args.crowd_minutes
    print(f"\n1 to 64 codes, {length(minutes)}, each once a second; one thread")
    print("           all at the same instants           each at instants of its own")
    print("codes      CPU s   peak MiB   beeps heard      CPU s   peak MiB   beeps heard")
    recording = folder / "crowd.wav"
    for codes in (1, 2, 4, 8, 16, 32, 64):
        columns = []
        for how in ([], ["--apart"]):
            speed("render", recording, "--seconds", 60 * minutes, *how, codes=codes)
            job = hear(recording, codes=codes)
            columns.append(f"{job.cpu:9.2f}  {job.mib:9.1f}   {heard(job, 60 * minutes * codes):>11}")
        print(f"{codes:5}  {columns[0]}  {columns[1]}", flush=True)


def stages(recording: Path, folder: Path) -> None:
    noise = folder / "noise.wav"
    speed("render", noise, "--seconds", 60 * args.minutes, "--noise")
    jobs = {
        "reading": lambda: speed("read", recording),
        "forward": lambda: speed("transforms", "forward", recording),
        "inverse": lambda: speed("transforms", "inverse", recording),
        "noise": lambda: hear(noise),
        "beeps": lambda: hear(recording),
    }
    rounds = 3 * args.rounds
    cpu = take_turns(jobs, rounds)
    bare = cpu["forward"] + cpu["inverse"]
    rows = [
        ("reading the WAV file", cpu["reading"]),
        ("forward transforms, shared by all codes", cpu["forward"]),
        ("inverse transforms, one per code and one for the signal", cpu["inverse"]),
        ("products, energies, scan for peaks (hearing noise, without the above)", cpu["noise"] - bare - cpu["reading"]),
        ("peaks: other codes taken out, refined (beeps, without noise)", cpu["beeps"] - cpu["noise"]),
    ]
    print(f"\nWhere the time goes: {length(args.minutes)}, 8 codes; differences of the least of {rounds}")
    for name, seconds in rows:
        print(f"{seconds:8.3f} s  {100 * seconds / cpu['beeps']:5.1f} %  {name}")
    print(f"{cpu['beeps']:8.3f} s         all of it: {cpu['beeps'] / bare:.2f} × its bare transforms")


def against_scipy(recording: Path, folder: Path) -> None:
    speed("templates", folder)
    beeps = 8 * 60 * args.minutes
    memory = {}

    def measured(name: str, job: Job) -> Job:
        if int(job.output) != beeps:
            sys.exit(f"bench: {name} found {job.output.strip()} of {beeps} beeps")
        memory[name] = job.mib
        return job

    ours, overlap, whole = "jiho", "scipy.signal.oaconvolve", 'scipy.signal.correlate(method="fft")'
    cpu = take_turns(
        {
            ours: lambda: measured(ours, hear(recording)),
            overlap: lambda: measured(overlap, matched_filters("oaconvolve", recording, folder)),
            whole: lambda: measured(whole, matched_filters("correlate", recording, folder)),
        },
        args.rounds,
    )
    print(f"\nBeside scipy: the same file of {length(args.minutes)}, 8 full-rate filters, {beeps} beeps found by each;")
    print(f"from the file to arrivals (scipy's to the sample), one thread, the least of {args.rounds}")
    for name, seconds in cpu.items():
        ratio = "" if name == ours else f"   jiho is {seconds / cpu[ours]:.1f} × as fast"
        rate = 60 * args.minutes / seconds
        print(f"{seconds:8.3f} s  {rate:6.0f} × real time  {memory[name]:7.0f} MiB  {name}{ratio}")


def all_cores(recording: Path) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    job = hear(*[recording] * cores, threads=cores)
    print(f"\n{cores} recordings of {length(args.minutes)} at once on {cores} cores, 8 codes")
    rate = 60 * args.minutes * cores / job.wall
    print(f"{job.cpu:8.3f} CPU s, {job.wall:.3f} s by the clock ({rate:.0f} × real time), {job.mib:.0f} MiB")


def take_turns(jobs: dict, rounds: int) -> dict[str, float]:
    """The least CPU seconds of each: whatever else runs can only lengthen them."""
    cpu = [{name: job().cpu for name, job in jobs.items()} for _ in range(rounds)]
    return {name: min(row[name] for row in cpu) for name in jobs}


def main() -> None:
    print(f"48 kHz, 16 bit, one channel; {platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="jiho-bench-") as name:
        folder = Path(name)
        recording = folder / "recording.wav"
        speed("render", recording, "--seconds", 60 * args.minutes)
        against_scipy(recording, folder)
        stages(recording, folder)
        all_cores(recording)
        lengths(folder)
        crowds(folder)


main()
