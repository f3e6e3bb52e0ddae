"""The coded time signals of docs/signals.md, written from that page alone: a second implementation, in numpy.

As a program: scripts/signals.py FAMILY CODE RATE OFFSET OUT.f64 writes one beep as doubles; its start lies OFFSET
samples (0 to 1) before the first one.
"""

import functools
import re
import sys
from pathlib import Path

import numpy as np

MASK = (1 << 64) - 1
MULTIPLIER = 6364136223846793005
LENGTH_S = {"voiced": 0.2, "voiced_robust": 0.4, "noise": 0.2, "noise_robust": 0.4}


def seeds(family):
    """The 64 seeds of a family, as docs/signals.md lists them."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "signals.md").read_text(encoding="utf-8")
    listed = re.search(rf"^{family}:\n\n```text\n([\d\s]+)```", page, re.MULTILINE)
    return [int(number) for number in listed.group(1).split()]


def output(state):
    x = (((state >> 18) ^ state) >> 27) & 0xFFFFFFFF
    turn = state >> 59
    return ((x >> turn) | (x << (32 - turn))) & 0xFFFFFFFF


def unit_numbers(seed, count):
    """So many numbers in [0, 1) of PCG32."""
    words = []
    for _ in range(4):
        seed = (seed * MULTIPLIER + 11634580027462260723) & MASK
        words.append(output(seed))
    increment = (words[2] | words[3] << 32) | 1
    state = (words[0] | words[1] << 32) + increment & MASK
    state = (state * MULTIPLIER + increment) & MASK
    numbers = []
    for _ in range(count):
        numbers.append(output(state) / 2**32)
        state = (state * MULTIPLIER + increment) & MASK
    return np.array(numbers)


def voice(seed, t, length, rate):
    node_s = 0.020
    pitch = 110 + 220 * unit_numbers(seed, round(length / node_s) + 1)
    cycles = np.concatenate([[0], np.cumsum(node_s * (pitch[1:] + pitch[:-1]) / 2)])
    node = np.minimum((t / node_s).astype(int), len(pitch) - 2)
    within = t - node * node_s
    slope = (pitch[node + 1] - pitch[node]) / node_s
    f = pitch[node] + slope * within
    c = cycles[node] + within * (pitch[node] + slope * within / 2)
    top = min(5200, 0.45 * rate)
    total = np.zeros_like(t)
    for h in range(1, 48):
        hz = h * f
        a = np.where(hz > 500, np.sqrt(500 / hz), 1.0)
        a *= np.where(hz > top - 400, (1 + np.cos(np.pi * (hz - top + 400) / 400)) / 2, 1.0)
        total += np.where(hz <= top, a, 0.0) * np.sin(2 * np.pi * h * c + np.pi * h * (h - 1) / 12)
    return total


def noise(seed, t, length):
    k = np.arange(round(300 * length), round(3400 * length) + 1)
    phases = 2 * np.pi * unit_numbers(seed, len(k))
    return sum(np.cos(2 * np.pi * n * t / length + phase) for n, phase in zip(k, phases))


def unlevelled(family, code, t, rate):
    length = LENGTH_S[family]
    seed = seeds(family)[code]
    inside = (t >= 0) & (t < length)
    t = np.where(inside, t, 0.0)
    shape = voice(seed, t, length, rate) if family.startswith("voiced") else noise(seed, t, length)
    from_end = np.minimum(t, length - t)
    ends = np.where(from_end < 0.006, (1 - np.cos(np.pi * from_end / 0.006)) / 2, 1.0)
    return np.where(inside, ends * shape, 0.0)


@functools.cache
def gain(family, code):
    t = np.arange(round(LENGTH_S[family] * 48_000)) / 48_000
    return 0.1 / np.sqrt(np.mean(unlevelled(family, code, t, 48_000) ** 2))


def beep(family, code, rate, offset=0.0):
    """One beep at −20 dBFS; it begins `offset` samples before the first one."""
    t = (np.arange(int(LENGTH_S[family] * rate) + 1) + offset) / rate
    return gain(family, code) * unlevelled(family, code, t, rate)


if __name__ == "__main__":
    family, code, rate, offset, out = sys.argv[1:]
    beep(family, int(code), int(rate), float(offset)).tofile(out)
