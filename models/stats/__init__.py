"""Statistics of grades, errors and agreement: pure numpy and scipy, the formula in each docstring.

Nothing here knows frames, animals or files; callers hand in arrays. NaN stands for a missing value
where a function says so, and a statistic that the data cannot carry is NaN, never a made-up number.
"""
