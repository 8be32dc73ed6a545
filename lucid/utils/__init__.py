"""What surrounds training: data."""

from lucid.utils import data as data
