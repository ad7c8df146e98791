"""The reference engine is verified by plain pytest, as a user's own engine would be."""

from isolation_spec.plugin.test_case import isolation_test_case

TestReferenceEngine = isolation_test_case("reference")
