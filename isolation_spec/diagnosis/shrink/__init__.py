"""The shrinker: makes a failing scenario smaller until nothing more can go."""

from isolation_spec.diagnosis.shrink.predicate import FailurePredicate
from isolation_spec.diagnosis.shrink.shrinker import SHRINK_SECONDS, Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size

__all__ = ["SHRINK_SECONDS", "FailurePredicate", "Shrinker", "size"]
