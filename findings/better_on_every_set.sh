#!/bin/sh
# autorank: beside a third network, two that differ on every clip no longer differ.
#
# autorank chooses and runs the tests by which networks are compared on the same data sets, and writes the
# report. It is for paired populations, and its report says so. One would guess that a difference which
# it finds between two networks remains if a third, worse one is added to the table, except where there
# is little evidence. If all columns look normal, two are compared by a paired t-test. Three get an analysis
# of variance with repeated measures, which keeps the pairs, and then Tukey's test, which does not:
# statsmodels is given all values without the data sets they belong to. If data sets differ by more than
# networks do, it finds nothing, and the report says both that there are differences and that no two networks
# differ. With force_mode="nonparametric", all differ.
#
# Version: autorank 1.3.0 (statsmodels 0.15.0). Seen, 20 data sets, b ahead of a and a ahead of c by about
# two points on each:
#   b and a: ttest, p = 1.6e-17, the report ends with:
#     the mean value of b is significantly larger than the mean value of a with a negligible effect ...
#   b, a and c: anova, p = 9.5e-38, the report ends with:
#     there are no significant differences within the following groups: c, a, and b. All other ...
#   b, a and c, forced: friedman, p = 2.1e-09, the report ends with:
#     all differences between the populations are significant.
# It exits with 1 once Tukey's test or what replaces it finds a difference.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet autorank==1.3.0 baycomp==1.0.3 statsmodels==0.15.0 pandas==2.3.3 scipy==1.17.1 \
    numpy==2.4.6 matplotlib==3.11.2
venv/bin/python - <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from autorank import autorank, create_report

print("autorank", version("autorank"))
generator = np.random.default_rng(0)
data_sets = generator.uniform(0.4, 0.9, size=20)
table = pd.DataFrame(
    {
        network: data_sets + gain + 0.002 * generator.normal(size=20)
        for network, gain in (("b", 0.02), ("a", 0), ("c", -0.02))
    }
)
assert (table.b > table.a).all() and (table.a > table.c).all()


def compare(name, table, **settings):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        result = autorank(table, **settings)
        create_report(result)
    verdict = text.getvalue().strip().splitlines()[-1]
    print(f"{name}: {result.omnibus}, p = {result.pvalue:.1e}, the report ends with:")
    print(" ", verdict.partition("we assume that ")[2])
    return result.pvalue, verdict


two = compare("b and a", table[["b", "a"]])
three = compare("b, a and c", table)
forced = compare("b, a and c, forced", table, force_mode="nonparametric")
if not (
    two[0] < 1e-10
    and three[0] < 1e-10
    and "no significant differences within the following groups: c, a, and b" in three[1]
    and "all differences between the populations are significant" in forced[1]
):
    sys.exit("no longer as described")
print("as described")
PYTHON
