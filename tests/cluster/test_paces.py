"""The pace of nodes: added up for each address, and where a new one starts."""

from oidl.cluster.paces import paces_by_host, starting_paces
from oidl.net.pace import PaceState


def pace(host: str, learned: float | None, rate: float | None = None, pause_s: float = 0.0) -> PaceState:
    return PaceState("flickr", 8, rate, pause_s, learned, node=host)


def test_nodes_on_one_host_share_its_limit() -> None:
    [near, far] = paces_by_host([pace("b", 10.0, 12.0), pace("a", 3.0, 4.0), pace("b", 20.0, 21.0, pause_s=5.0)])
    assert (near.node, near.learned_rate) == ("a", 3.0)
    assert (far.node, far.learned_rate, far.rate, far.window, far.pause_s) == ("b", 30.0, 33.0, 16, 5.0)


def test_no_limit_of_one_is_no_limit_of_all() -> None:
    assert paces_by_host([pace("a", 3.0), pace("a", None)])[0].learned_rate is None


def test_a_new_node_starts_at_half_of_the_median_of_its_sisters() -> None:
    sisters = [pace("a", 10.0), pace("b", 30.0), pace("c", 1000.0), pace("d", None)]
    assert starting_paces("new", 0, {}, sisters)["flickr"].learned_rate == 15.0


def test_a_host_that_is_known_starts_where_it_was() -> None:
    stored = {("flickr", "old"): pace("old", 25.0), ("flickr", "other"): pace("other", 99.0)}
    started = starting_paces("old", 0, stored, [pace("a", 10.0)])["flickr"]
    assert (started.learned_rate, started.node) == (25.0, "")


def test_another_node_on_a_host_gets_its_share_of_what_those_there_have() -> None:
    stored = {("flickr", "a"): pace("a", 99.0)}
    assert starting_paces("a", 2, stored, [pace("a", 10.0), pace("a", 20.0)])["flickr"].learned_rate == 10.0


def test_nothing_is_known_at_first() -> None:
    assert starting_paces("a", 0, {}, []) == {}
    assert starting_paces("a", 0, {}, [pace("b", None)]) == {}
