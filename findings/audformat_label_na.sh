#!/bin/sh
# audformat: a table in CSV loses a label that its scheme declares, and one in Parquet keeps it.
#
# Codes of species and regions include NA. A scheme lists its labels, and setting any other is an
# error. So one would guess that a declared label survives saving and loading in any of the formats.
# In CSV, NA and null are read as gaps, whatever the scheme says. The loaded database has fewer
# labels, and nothing warns. In Parquet they stay.
#
# Version: audformat 1.4.3 (pandas 3.1.1). Seen, labels NA, EU, null:
#   csv: [nan, 'EU', nan]
#   parquet: ['NA', 'EU', 'null']
# It exits with 1 once CSV keeps all three.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet audformat==1.4.3 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import audformat

print("audformat", importlib.metadata.version("audformat"))
labels = ["NA", "EU", "null"]
database = audformat.Database("birds")
database.schemes["region"] = audformat.Scheme(labels=labels)
database["files"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav", "c.wav"]))
database["files"]["region"] = audformat.Column(scheme_id="region")
database["files"]["region"].set(labels)
loaded = {}
for kind in ("csv", "parquet"):
    database.save(kind, storage_format=kind)
    loaded[kind] = audformat.Database.load(kind)["files"]["region"].get().tolist()
    print(f"{kind}: {loaded[kind]}")
if loaded["csv"] == labels or loaded["parquet"] != labels:
    sys.exit("no longer as described")
print("as described")
PYTHON
