"""Dagster's view of the platform."""

import warnings

from dagster import BetaWarning, PreviewWarning

# the release is pinned exactly, so that what is beta in it stays as it was tested
for category in (BetaWarning, PreviewWarning):
    warnings.filterwarnings("ignore", category=category)
