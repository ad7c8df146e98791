"""Can any user of a multi-user agent engine see, change, block or outlive another's
work?

Strategies draw a *scenario*; *users* run it against an *engine* through an *adapter*,
in a *world* whose *scheduler* decides every interleaving and whose disruptions cancel,
fail and disconnect; all that is observed is a *history*; *claims* judge it; a *report*
explains.

Each of these nouns is one module or one folder. Data flows one way, and a module
imports from the floors below it only: scenario, history; adapter, engine; adapters,
faults; world; claims, run; story, explain, shrink, failure, report; strategies;
journal, fuzz, search, shards, verify, bench; cli, plugin.

The goals, in order: no false alarm, no empty green, every failure replayable, a failure
that a person understands in a minute, speed.
"""
