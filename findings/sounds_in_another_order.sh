#!/bin/sh
# rsatoolbox: two tables of the same sounds hardly agree if their rows are in another order.
#
# Representational similarity analysis computes how far each two sounds lie apart in one representation and
# in another, and correlates the two tables of distances. rsatoolbox keeps the names of the sounds with
# each table. One would guess that compare goes by these names, or refuses tables in different orders. It
# takes the distances as they stand, and so does eval_fixed for a model. concat goes by the names since
# issue 346. It sorts the tables that it is given, not copies, so compare gives another answer after it.
#
# Version: rsatoolbox 0.3.2. Seen, ten sounds, once in some order and once in that of their names:
#   compare, by correlation: 0.15, with a descriptor 1.00
#   eval_fixed, a model and the same in another order: 0.15
#   compare after concat: 1.00
# It exits with 1 once compare gives 1 at first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet rsatoolbox==0.3.2 scikit-learn==1.9.1 scikit-image==0.26.0 pandas==2.3.3 \
    scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from rsatoolbox.data import Dataset
from rsatoolbox.inference import eval_fixed
from rsatoolbox.model import ModelFixed
from rsatoolbox.rdm import calc_rdm, compare
from rsatoolbox.rdm.rdms import concat

print("rsatoolbox", version("rsatoolbox"))
names = np.array("dog rain bell voice wind car bird drum door rail".split())
embeddings = np.random.default_rng(0).normal(size=(10, 64))
sort = np.argsort(names)
first = Dataset(embeddings, obs_descriptors={"sound": names})
second = Dataset(embeddings[sort], obs_descriptors={"sound": names[sort]})


def agreement(one, other):
    return float(compare(one, other, method="corr")[0, 0])


tables = calc_rdm(first), calc_rdm(second)
assert list(tables[1].pattern_descriptors["sound"]) == sorted(names)
plain = agreement(*tables)
named = agreement(*(calc_rdm(each, descriptor="sound") for each in (first, second)))
print(f"compare, by correlation: {plain:.2f}, with a descriptor {named:.2f}")
three = concat([calc_rdm(second) for _ in range(3)])
model = float(eval_fixed(ModelFixed("first", tables[0]), three, method="corr").evaluations.mean())
print(f"eval_fixed, a model and the same in another order: {model:.2f}")
concat(list(tables))
after = agreement(*tables)
print(f"compare after concat: {after:.2f}")
if not (max(plain, model) < 0.5 and min(named, after) > 0.99):
    sys.exit("no longer as described")
print("as described")
PYTHON
