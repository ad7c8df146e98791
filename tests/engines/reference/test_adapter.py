"""Plain pytest verifies the reference engine, as it verifies a user's engine."""

from isolation_spec.plugin.test_case import isolation_test_case

TestReferenceEngine = isolation_test_case("reference")
