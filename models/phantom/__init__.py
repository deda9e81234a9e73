"""A rendered mouse face with known action units: pictures, clips and whole studies.

It proves that the machinery works; it says nothing about real mice.
"""
