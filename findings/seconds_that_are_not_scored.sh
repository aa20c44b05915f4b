#!/bin/sh
# museval: a system that falls silent where separation is hard raises the scores of all its sources.
#
# museval scores separated music second by second, and gives the median. One would guess that a second in
# which one estimate is silent is a bad second of this source, and a usual one of the others. If any
# reference or any estimate is all zeros in a second, no source gets a score for it, and the median leaves
# it out. References are silent where an instrument rests. But estimates are what is to be judged. A
# separator with a gate, or with a detector of voices, chooses the seconds that count.
#
# Version: museval 0.4.1 (numpy 2.4.6, scipy 1.17.1). Seen, medians in dB of two sources, ten seconds, the
# first four separated at 20 dB and the others at 0 dB:
#   as separated: 0.1, 0.3, of 10 and 10 seconds
#   the first estimate silent in the last six seconds: 20.0, 20.0, of 4 and 4 seconds
#   its samples there 1e-6 instead of 0: 0.0, 0.3, of 10 and 10 seconds
# It exits with 1 once the silent estimate does not raise the second source's score. museval looks for
# FFmpeg when it is imported, but here nothing calls it, so the script makes empty commands of its names.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet museval==0.4.1 numpy==2.4.6 scipy==1.17.1
for name in ffmpeg ffprobe; do
    printf '#!/bin/sh\n' > venv/bin/$name
    chmod +x venv/bin/$name
done
PATH="$PWD/venv/bin:$PATH" venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import numpy as np

warnings.simplefilter("ignore")
import museval

print("museval", version("museval"))
rate = 2000
generator = np.random.default_rng(0)
sources = 0.1 * generator.normal(size=(2, 10 * rate, 1))
hard = np.arange(10 * rate) >= 4 * rate
errors = generator.normal(size=sources.shape) * np.where(hard, 0.1, 0.01)[:, None]


def medians(name, estimates):
    scores = museval.evaluate(sources, estimates, win=rate, hop=rate)[0]
    found = np.nanmedian(scores, axis=1)
    counts = np.isfinite(scores).sum(axis=1)
    print(
        f"{name}: {found[0]:.1f}, {found[1]:.1f}, of {counts[0]} and {counts[1]} seconds".replace(
            "-0.0", "0.0"
        )
    )
    return found


before = medians("as separated", sources + errors)
gated = sources + errors
gated[0, hard] = 0
silent = medians("the first estimate silent in the last six seconds", gated)
gated[0, hard] = 1e-6
quiet = medians("its samples there 1e-6 instead of 0", gated)
if before.max() > 1 or silent.min() < 19 or quiet.max() > 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
