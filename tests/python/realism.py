#!/usr/bin/env python3
"""Draws docs/simulator.png and prints the tables of docs/simulator.md: simulated nights beside a real one (dynamo), beside
the real hypnograms of ../shared/data, and beside published figures.

    build/release/sleepvlm simulate -o /tmp/nights --nights 20 --seed 500
    python3 tests/python/dynamo_edf.py ../shared/data/recordings/dynamo /tmp/dynamo.edf
    python3 tests/python/realism.py /tmp/nights /tmp/dynamo.edf ../shared/data/hypnograms docs/simulator.png

Needs numpy, scipy, matplotlib, pyedflib, mne. Nothing of sleepvlm measures here: spectra are SciPy's, slow waves and spindles
are found by the few lines below, alike in both, so that a fault of our detectors cannot hide one of the simulator."""
import glob
import json
import os
import sys

import matplotlib
import mne
import numpy as np
import pyedflib
from scipy import signal

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

STAGES = ["W", "N1", "N2", "N3", "R"]
COLOURS = {"W": "#c77700", "N1": "#6a9f00", "N2": "#0077bb", "N3": "#332288", "R": "#cc3377"}
BANDS = {"delta .5-4": (.5, 4), "theta 4-8": (4, 8), "alpha 8-12": (8, 12), "sigma 11-16": (11, 16), "beta 16-30": (16, 30)}
RATE = 100


def central(path):
    """The central EEG at 100 Hz, 0.3-35 Hz, uV."""
    with pyedflib.EdfReader(path) as edf:
        labels = edf.getSignalLabels()
        index = next(i for i, label in enumerate(labels) if "C4" in label or "C3" in label)
        x, rate = edf.readSignal(index), edf.getSampleFrequency(index)
    x = signal.sosfiltfilt(signal.butter(4, [.3, min(35, rate / 2 - 1)], "band", fs=rate, output="sos"), x)
    return x if rate == RATE else signal.resample_poly(x, RATE, int(rate))


def annotated_stages(path, n):
    """A stage for each 30-s epoch from EDF+ annotations; None where there is none. R&K 4 counts as N3."""
    names = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "R", "N1": "N1", "N2": "N2", "N3": "N3"}
    stages = [None] * n if n else []
    notes = mne.read_annotations(path)
    for onset, duration, text in zip(notes.onset, notes.duration, notes.description):
        stage = names.get(text.replace("Sleep stage ", "").strip())
        first, last = int(round(onset / 30)), int(round((onset + float(duration)) / 30))
        if not n:
            stages += [None] * max(0, last - len(stages))
        for e in range(first, min(last, len(stages))):
            stages[e] = stage
    return stages


def epochs_of(x):
    n = len(x) // 3000
    return x[:n * 3000].reshape(n, 3000)


def spectra(x):
    f, p = signal.welch(epochs_of(x), RATE, nperseg=400, axis=1)
    return f, p


def band_db(f, p, low, high):
    keep = (f >= low) & (f < high)
    return 10 * np.log10(p[:, keep].sum(1) * (f[1] - f[0]) + 1e-9)


def peak_to_peak(x):
    return np.ptp(epochs_of(x).reshape(-1, 30, 100), axis=2)  # [epochs, 30]


def slow_wave_s(x):
    """Seconds of whole waves (down-going zero crossings, 0.45-2.2 s) of 75 uV and more, per epoch."""
    y = signal.sosfiltfilt(signal.butter(2, [.35, 3], "band", fs=RATE, output="sos"), x)
    z = np.nonzero((y[:-1] >= 0) & (y[1:] < 0))[0]
    cover = np.zeros(len(x))
    for a, b in zip(z[:-1], z[1:]):
        if .45 <= (b - a) / RATE <= 2.2 and np.ptp(y[a:b]) >= 75:
            cover[a:b] = 1
    return epochs_of(cover).sum(1) / RATE


def spindles(x):
    """Onsets (epoch index) of bursts of sigma: envelope above 2.5 times its median in NREM-like data, 0.5-2.5 s."""
    s = np.abs(signal.hilbert(signal.sosfiltfilt(signal.butter(2, [11, 16], "band", fs=RATE, output="sos"), x)))
    s = np.convolve(s, np.ones(20) / 20, "same")
    above = s > 2.5 * np.median(s)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], above.astype(int), [0]])))
    return np.array([a // 3000 for a, b in zip(edges[::2], edges[1::2]) if .5 <= (b - a) / RATE <= 2.5], int)


def measure(x, stages):
    f, p = spectra(x)
    n = min(len(p), len(stages))
    stages = np.array([s or "" for s in stages[:n]])
    swa, pp, sp = slow_wave_s(x)[:n], peak_to_peak(x)[:n], spindles(x)
    out = {}
    for s in STAGES:
        keep = np.flatnonzero(stages == s)
        if len(keep) == 0:
            continue
        out[s] = {"psd": p[keep], "pp": pp[keep].ravel(), "swa": swa[keep],
                  "spindles_min": np.isin(sp, keep).sum() / (len(keep) / 2), "n": len(keep),
                  "bands": {b: band_db(f, p[keep], *lim) for b, lim in BANDS.items()}}
    return f, out


def hypnogram_statistics(hypnograms):
    """Fractions of the sleep period, mean dwell in epochs, transition matrix."""
    counts, dwell, moves = np.zeros(5), {s: [] for s in STAGES}, np.zeros((5, 5))
    for h in hypnograms:
        index = [STAGES.index(s) if s in STAGES else -1 for s in h]
        asleep = [i for i, s in enumerate(index) if s > 0]
        index = index[asleep[0]:asleep[-1] + 1]
        start = 0
        for i in range(len(index)):
            if index[i] >= 0:
                counts[index[i]] += 1
                if i + 1 < len(index) and index[i + 1] >= 0:
                    moves[index[i], index[i + 1]] += 1
            if i + 1 == len(index) or index[i + 1] != index[start]:
                if index[start] >= 0:
                    dwell[STAGES[index[start]]].append(i + 1 - start)
                start = i + 1
    return counts / counts.sum(), [np.mean(dwell[s]) for s in STAGES], moves / np.maximum(moves.sum(1, keepdims=True), 1)


def pick(values, stage, key):
    return np.concatenate([v[stage][key] for v in values if stage in v])


def table(title, rows, head):
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def percentiles(x, which=(10, 50, 90), form="%.1f"):
    return " / ".join(form % v for v in np.percentile(x, which)) if len(x) else "-"


def draw(f, sims, real, sim_h, real_h, target):
    fig, ax = plt.subplots(4, 5, figsize=(15, 12))
    for i, s in enumerate(STAGES):
        night = [10 * np.log10(np.median(v[s]["psd"], 0)) for v in sims if s in v and v[s]["n"] >= 5]
        a = ax[0, i]
        a.fill_between(f, np.percentile(night, 10, 0), np.percentile(night, 90, 0), color=COLOURS[s], alpha=.3, lw=0)
        a.plot(f, np.median(night, 0), color=COLOURS[s], label="simulated, nights 10-90 %")
        if s in real:
            a.plot(f, 10 * np.log10(np.median(real[s]["psd"], 0)), "k", lw=1, label="real (1 night, %d epochs)" % real[s]["n"])
        a.set(xlim=(0.3, 35), ylim=(-25, 30), title=s, xlabel="Hz")
        a.legend(fontsize=7)
        for row, key, label in ((1, "pp", "peak to peak in 1 s, uV"), (2, "swa", "seconds of slow waves in an epoch")):
            a = ax[row, i]
            for values, style in ((pick(sims, s, key), {"color": COLOURS[s]}), (real.get(s, {}).get(key, []), {"color": "k"})):
                if len(values):
                    a.plot(np.sort(values), np.linspace(0, 1, len(values)), **style)
            a.set(xlabel=label, xlim=(0, 250 if key == "pp" else 30))
    ax[0, 0].set_ylabel("central EEG, dB re uV^2/Hz")
    ax[1, 0].set_ylabel("share of the seconds below")
    ax[2, 0].set_ylabel("share of the epochs below")
    x = np.arange(5)
    for k, (sim_value, real_value, label) in enumerate((
            (sim_h[0], real_h[0], "share of the sleep period"), (sim_h[1], real_h[1], "mean dwell, epochs"),
            (np.diag(sim_h[2]), np.diag(real_h[2]), "P(stay) from epoch to epoch"))):
        a = ax[3, k]
        a.bar(x - .2, sim_value, .4, color=[COLOURS[s] for s in STAGES], label="simulated")
        a.bar(x + .2, real_value, .4, color="k", label="real (32 hypnograms)")
        a.set(xticks=x, xticklabels=STAGES, title=label)
        a.legend(fontsize=7)
    a = ax[3, 3]
    for i, s in enumerate(STAGES):
        a.boxplot([v[s]["spindles_min"] for v in sims if s in v and v[s]["n"] >= 5], positions=[i], widths=.5)
        if s in real:
            a.plot(i, real[s]["spindles_min"], "k*", ms=10)
    a.set(xticks=x, xticklabels=STAGES, title="sigma bursts a minute (star: real)")
    a = ax[3, 4]
    a.axis("off")
    a.text(0, .9, "Colour: simulated nights.\nBlack: real, one night of one central\nchannel (dynamo), or 32 hypnograms\n(Sleep-EDF).", va="top")
    fig.tight_layout()
    fig.savefig(target, dpi=70)


def main():
    nights, dynamo, hypnograms, target = sys.argv[1:5]
    sims, sim_h = [], []
    for truth_path in sorted(glob.glob(os.path.join(nights, "**", "*truth.json"), recursive=True)):
        truth = json.load(open(truth_path))
        edf = glob.glob(os.path.join(os.path.dirname(truth_path), "*.edf"))
        edf = [e for e in edf if len(glob.glob(os.path.join(os.path.dirname(truth_path), "*.edf"))) == 1
               or os.path.basename(e).split(".")[0] == os.path.basename(truth_path).split(".")[0]]
        f, m = measure(central(edf[0]), truth["stages"])
        sims.append(m)
        sim_h.append(truth["stages"])
    x = central(dynamo)
    f, real = measure(x, annotated_stages(dynamo, len(x) // 3000))
    files = glob.glob(os.path.join(hypnograms, "sleep-edf-*", "*.edf"))
    real_h = hypnogram_statistics([annotated_stages(p, 0) for p in files])
    sim_h = hypnogram_statistics(sim_h)
    table("Band powers of the central EEG, dB re uV^2, 10 / 50 / 90 %% of the epochs: simulated (%d nights), real (1 night)" % len(sims),
          [[s, kind] + [percentiles(np.concatenate([v[s]["bands"][b] for v in group if s in v])) for b in BANDS]
           for s in STAGES for kind, group in (("simulated", sims), ("real", [real])) if any(s in v for v in group)],
          ["stage", ""] + list(BANDS))
    table("Peak to peak in 1 s (uV), seconds of slow waves an epoch, 10 / 50 / 90 %; sigma bursts a minute",
          [[s, kind, percentiles(pick(group, s, "pp"), form="%.0f"), percentiles(pick(group, s, "swa")),
            "%.1f" % np.mean([v[s]["spindles_min"] for v in group if s in v])]
           for s in STAGES for kind, group in (("simulated", sims), ("real", [real])) if any(s in v for v in group)],
          ["stage", "", "peak to peak", "slow waves", "bursts"])
    table("Hypnograms: simulated, real (%d)" % len(files),
          [[s, "%.2f" % sim_h[0][i], "%.2f" % real_h[0][i], "%.1f" % sim_h[1][i], "%.1f" % real_h[1][i],
            " ".join("%.3f" % v for v in sim_h[2][i]), " ".join("%.3f" % v for v in real_h[2][i])]
           for i, s in enumerate(STAGES)],
          ["stage", "share", "real", "dwell (epochs)", "real", "to W N1 N2 N3 R", "real"])
    draw(f, sims, real, sim_h, real_h, target)


main()
