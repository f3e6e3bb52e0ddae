"""The other side of scripts/bench: the same matched filters by scipy.

    matched_filters.py oaconvolve|correlate RECORDING.wav TEMPLATES

Reads the recording and TEMPLATES/code-*.wav, correlates at full rate by scipy.signal.oaconvolve or by
scipy.signal.correlate(method="fft"), and takes the highest value of each second as that second's beep. Prints the CPU
seconds that reading and correlating took, without starting and importing, and how many beeps stand out.
"""

import sys
import time
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import correlate, oaconvolve

method, recording, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
templates = [wavfile.read(path)[1].astype(np.float32) / 32768 for path in sorted(folder.glob("code-*.wav"))]

begun = time.process_time()
rate, samples = wavfile.read(recording)
samples = samples.astype(np.float32) / 32768
found = 0
for template in templates:
    if method == "oaconvolve":
        correlation = oaconvolve(samples, template[::-1], mode="valid")
    else:
        correlation = correlate(samples, template, mode="valid", method="fft")
    correlation = np.abs(correlation)
    seconds = len(samples) // rate
    correlation = np.pad(correlation, (0, seconds * rate - len(correlation))).reshape(seconds, rate)
    # Coded voices sound at a quarter of full level here: what stands out is a beep.
    found += int(np.count_nonzero(correlation.max(axis=1) > 0.5 * 0.25 * np.dot(template, template)))
print(time.process_time() - begun, found)
