"""Uploads on the server: found by the visitor's token only, limited, and dropped after two hours."""

from camviz.ui.server.holdings import LIFETIME, Holdings

LIMITS = {"image": 100, "files": 100}


def test_upload_is_found_by_its_token_only() -> None:
    store = Holdings(LIMITS)
    store.put("first", "image", "sha:1", "of the first", 10)
    store.put("second", "image", "sha:1", "of the second", 10)
    store.put("second", "files", "sha:1", "files", 10)
    assert store.of("first", "image") == {"sha:1": "of the first"}
    assert store.of("second", "image") == {"sha:1": "of the second"}
    assert store.of("third", "image") == store.of("", "image") == store.of("first", "files") == {}
    store.remove("third", "image", "sha:1")
    store.remove("first", "image", "sha:1")
    assert store.of("first", "image") == {} and store.of("second", "image") == {"sha:1": "of the second"}


def test_least_recently_used_uploads_are_dropped() -> None:
    store = Holdings(LIMITS)
    for token, key in (("a", "1"), ("b", "2"), ("a", "3")):
        store.put(token, "image", key, key, 33)
    store.put("a", "files", "album", "files", 99)
    store.use("a", "image", "1")
    store.use("b", "image", "1")  # not b's
    store.put("b", "image", "4", "4", 33)
    assert list(store.of("a", "image")) == ["1", "3"] and list(store.of("b", "image")) == ["4"]
    assert store.of("a", "files") == {"album": "files"}
    store.put("c", "image", "5", "5", 1000)  # the latest one stays, whatever its size
    assert store.of("a", "image") == store.of("b", "image") == {} and list(store.of("c", "image")) == ["5"]


def test_repeated_upload_counts_once_and_is_the_latest() -> None:
    store = Holdings(LIMITS)
    for key in ("1", "2", "1"):
        store.put("a", "image", key, key, 50)
    assert list(store.of("a", "image")) == ["2", "1"]


def test_uploads_are_dropped_after_two_hours_without_the_visitor() -> None:
    now = [0.0]
    store = Holdings(LIMITS, clock=lambda: now[0])
    store.put("a", "image", "1", "1", 10)
    store.put("b", "image", "2", "2", 10)
    now[0] = LIFETIME - 1
    assert list(store.of("a", "image")) == ["1"]  # a is still here
    now[0] = LIFETIME + 1
    assert store.of("b", "image") == {} and list(store.of("a", "image")) == ["1"]
    now[0] = 2 * LIFETIME + 2
    store.put("c", "image", "3", "3", 10)
    assert [place for kept in store._kept.values() for place in kept] == [("c", "3")] and list(store._seen) == ["c"]


def test_uploads_move_to_another_token() -> None:
    store = Holdings(LIMITS)
    store.put("old", "image", "1", "1", 10)
    store.put("new", "image", "2", "2", 10)
    store.move("old", "new")
    assert list(store.of("new", "image")) == ["1", "2"] and store.of("old", "image") == {}
