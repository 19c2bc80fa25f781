"""The filter of volume as it stands at the open of a session: what the evening before hands to the bars of the day.

Parameters and state are in logs relative to ln(expected median) of each bar: before the first bar, after the night.
"""

KEEP_DEVIATION, DEVIATION_NOISE, NOISE, LEVEL, DEVIATION, VAR_LL, VAR_LD, VAR_DD, LIVE_FIELDS = range(9)
