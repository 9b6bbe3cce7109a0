"""Fits the score: a * z + b such that its sigmoid is the share of relevant documents (Platt's scaling).

    python calibrate.py CALIBRATION.json LEFT-OUT.npz …

The files hold logits and labels of whole candidate lists from sets that the model had not seen; each
set weighs the same.
"""

import json
import pathlib
import sys

import numpy as np
import scipy.optimize


def main(target, files):
    seen = [np.load(file) for file in files]

    def loss(parameters):
        a, b = parameters
        total = 0.0
        for one in seen:
            z = a * one["logits"].astype(np.float64) + b
            total += np.mean(np.logaddexp(0, np.where(one["labels"], -z, z)))
        return total / len(seen)

    fitted = scipy.optimize.minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead")
    a, b = (float(value) for value in fitted.x)
    assert fitted.success and a > 0, fitted
    target.write_text(json.dumps(dict(a=a, b=b)))
    print(f"a {a:.4f}, b {b:.4f}: mean log loss {fitted.fun:.4f}, before {loss((1.0, 0.0)):.4f}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
