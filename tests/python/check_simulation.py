#!/usr/bin/env python3
"""Stages simulated nights with YASA (Vallat and Walker 2021), which was trained on people, and compares with our truth.

    build/release/sleepvlm simulate -o /tmp/nights --nights 20 --seed 101
    python3 tests/python/check_simulation.py /tmp/nights

Needs yasa and mne (PyPI). Prints kappa for each night, and of all epochs together, with the confusion."""
import glob
import json
import sys
import warnings

import mne
import numpy as np
import yasa
from sklearn.metrics import cohen_kappa_score, confusion_matrix

STAGES = ["W", "N1", "N2", "N3", "R"]


def stage(path):
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    staging = yasa.SleepStaging(raw, eeg_name="EEG C4-M1", eog_name="EOG LOC", emg_name="EMG Chin")
    predicted = staging.predict()
    labels = predicted.hypno if hasattr(predicted, "hypno") else predicted
    names = {"WAKE": "W", "REM": "R"}
    return [names.get(str(x), str(x)) for x in np.asarray(labels)]


def main():
    warnings.filterwarnings("ignore")
    all_true, all_predicted = [], []
    for truth_path in sorted(glob.glob(sys.argv[1] + "/*/truth.json")):
        with open(truth_path) as f:
            true = json.load(f)["stages"]
        predicted = stage(glob.glob(truth_path.replace("truth.json", "*.edf"))[0])
        n = min(len(true), len(predicted))
        print(f"{truth_path.split('/')[-2]}  kappa {cohen_kappa_score(true[:n], predicted[:n]):.3f}", flush=True)
        all_true += true[:n]
        all_predicted += predicted[:n]
    print(f"all together: {len(all_true)} epochs, kappa {cohen_kappa_score(all_true, all_predicted):.3f}, "
          f"accuracy {np.mean(np.array(all_true) == np.array(all_predicted)):.3f}")
    print("truth in rows, YASA in columns:", STAGES)
    print(confusion_matrix(all_true, all_predicted, labels=STAGES))


main()
