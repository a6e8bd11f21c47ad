# SPDX-License-Identifier: Apache-2.0
"""Comparing two programs on a machine that others use too: many short rounds of one right after the
other, in alternating order; the median of the ratios, and how sure it is."""
import random
import statistics


def interval(values, share=0.95, draws=2000):
    """Where the median of such values is with this probability (bootstrap)."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(draws))
    cut = int(draws * (1 - share) / 2)
    return medians[cut], medians[-1 - cut]


def ratios(measures, pairs):
    """measures: two functions without arguments, the base first. Ratios of the second to the first."""
    out = []
    for k in range(pairs):
        got = {}
        for i in ((0, 1), (1, 0))[k % 2]:
            got[i] = measures[i]()
        out.append(got[1] / got[0])
    return out


def per_cent(values):
    """ "+1.2 % (-0.3 to +2.6)" of ratios. """
    low, high = interval(values)
    return "{:+.1f} % ({:+.1f} to {:+.1f})".format(
        *((v - 1) * 100 for v in (statistics.median(values), low, high)))
