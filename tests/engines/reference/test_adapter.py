"""Plain pytest verifies the reference engine, as it verifies a user's engine."""

import pytest

from isolation_spec.plugin.test_case import isolation_test_case

pytestmark = pytest.mark.slow

TestReferenceEngine = isolation_test_case("reference")
