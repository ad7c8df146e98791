"""Reports: events, results and diagnoses as terminal text, pages and files."""
