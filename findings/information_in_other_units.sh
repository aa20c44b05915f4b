#!/bin/sh
# infomeasure: pitch in hertz tells less than pitch in kilohertz.
#
# Mutual information has no units. One would guess that a package of information measures keeps to
# that. infomeasure's estimator from nearest neighbours (approach="ksg") compares distances along
# both quantities as they are. If one of them is a thousand times larger, the neighbours are found
# along that one alone, and the estimate goes to 0. scikit-learn scales both quantities first.
#
# Version: infomeasure 0.6.3. Seen, x normal, y = x + 0.1 noise, 1000 pairs, nats:
#   x times 0.001: 0.01
#   x times 1: 2.28
#   x times 1000: 0.01
#   both times 1000: 2.28
# It exits with 1 once the scale of one quantity moves the estimate by less than 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet infomeasure==0.6.3 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import infomeasure
import numpy as np

print("infomeasure", importlib.metadata.version("infomeasure"))
generator = np.random.default_rng(0)
x = generator.normal(size=1000)
y = x + 0.1 * generator.normal(size=1000)


def information(x, y):
    return float(infomeasure.mutual_information(x, y, approach="ksg"))


found = {scale: information(scale * x, y) for scale in (0.001, 1, 1000)}
for scale, nats in found.items():
    print(f"x times {scale}: {nats:.2f}")
both = information(1000 * x, 1000 * y)
print(f"both times 1000: {both:.2f}")
if max(found[0.001], found[1000]) > 1 or min(found[1], both) < 2:
    sys.exit("no longer as described")
print("as described")
PYTHON
