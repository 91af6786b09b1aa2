"""The uploads that the server holds: found by their visitor's token alone, bounded, and dropped after two hours."""

from camviz.ui.server.holdings import LIFETIME, Holdings

LIMITS = {"image": 100, "files": 100}


def test_an_upload_is_found_by_its_token_alone() -> None:
    held = Holdings(LIMITS)
    held.put("first", "image", "sha:1", "of the first", 10)
    held.put("second", "image", "sha:1", "of the second", 10)
    held.put("second", "files", "sha:1", "files", 10)
    assert held.of("first", "image") == {"sha:1": "of the first"}
    assert held.of("second", "image") == {"sha:1": "of the second"}
    assert held.of("third", "image") == held.of("", "image") == held.of("first", "files") == {}
    held.remove("third", "image", "sha:1")
    held.remove("first", "image", "sha:1")
    assert held.of("first", "image") == {} and held.of("second", "image") == {"sha:1": "of the second"}


def test_of_a_full_kind_the_least_recently_used_ones_go() -> None:
    held = Holdings(LIMITS)
    for token, key in (("a", "1"), ("b", "2"), ("a", "3")):
        held.put(token, "image", key, key, 33)
    held.put("a", "files", "album", "files", 99)
    held.use("a", "image", "1")
    held.use("b", "image", "1")  # not b's
    held.put("b", "image", "4", "4", 33)
    assert list(held.of("a", "image")) == ["1", "3"] and list(held.of("b", "image")) == ["4"]
    assert held.of("a", "files") == {"album": "files"}
    held.put("c", "image", "5", "5", 1000)  # the latest one stays, whatever its size
    assert held.of("a", "image") == held.of("b", "image") == {} and list(held.of("c", "image")) == ["5"]


def test_the_same_upload_again_counts_once_and_is_the_latest() -> None:
    held = Holdings(LIMITS)
    for key in ("1", "2", "1"):
        held.put("a", "image", key, key, 50)
    assert list(held.of("a", "image")) == ["2", "1"]


def test_two_hours_without_the_visitor_end_it() -> None:
    now = [0.0]
    held = Holdings(LIMITS, clock=lambda: now[0])
    held.put("a", "image", "1", "1", 10)
    held.put("b", "image", "2", "2", 10)
    now[0] = LIFETIME - 1
    assert list(held.of("a", "image")) == ["1"]  # a is still here
    now[0] = LIFETIME + 1
    assert held.of("b", "image") == {} and list(held.of("a", "image")) == ["1"]
    now[0] = 2 * LIFETIME + 2
    held.put("c", "image", "3", "3", 10)
    assert [place for kept in held._kept.values() for place in kept] == [("c", "3")] and list(held._seen) == ["c"]


def test_two_tokens_become_one() -> None:
    held = Holdings(LIMITS)
    held.put("old", "image", "1", "1", 10)
    held.put("new", "image", "2", "2", 10)
    held.move("old", "new")
    assert list(held.of("new", "image")) == ["1", "2"] and held.of("old", "image") == {}
