"""Random streams depend on their names and integers alone."""

from isolation_spec.strategies.streams import Stream, random_stream


def test_a_stream_is_fixed() -> None:
    """The first numbers of a stream are those of every version and machine."""
    chance = random_stream(Stream.SEEDED_RUN, 7, 3)

    assert [98, 35, 81] == [chance.randrange(100) for _ in range(3)]


def test_streams_are_independent() -> None:
    """Purpose, seed and number each make another stream."""
    first = {
        random_stream(stream, seed, number).random()
        for stream in Stream
        for seed in (0, 1)
        for number in (0, 1)
    }

    assert len(Stream) * 4 == len(first)
