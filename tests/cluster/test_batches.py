"""An image belongs to one life at a time, and what kills nodes is found by halving."""

import random

from builders import job

from oidl.cluster.batches import Batches
from oidl.model import Job


def filled(images: int) -> Batches:
    batches = Batches()
    for number in range(images):
        batches.add(job(number))
    return batches


def numbers(jobs: list[Job]) -> list[int]:
    return [int(each.image_id, 16) for each in jobs]


def test_a_result_counts_once_and_only_from_the_life_that_has_the_image() -> None:
    batches = filled(3)
    taken = batches.take("a", 2)
    assert numbers(taken) == [0, 1]
    assert batches.settle("b", taken[0].image_id) is None
    assert batches.settle("a", taken[0].image_id) is taken[0]
    assert batches.settle("a", taken[0].image_id) is None
    assert (batches.count("a"), batches.waiting, batches.is_empty) == (1, 1, False)


def test_what_a_lost_life_had_goes_to_another_one_and_its_late_results_do_not_count() -> None:
    batches = filled(4)
    batches.settle("a", batches.take("a", 4)[0].image_id)
    assert batches.lose("a") == []
    assert numbers(batches.take("b", 1)) == [1, 2, 3]  # the whole batch, whatever was asked for
    assert batches.settle("a", job(1).image_id) is None
    assert batches.settle("b", job(1).image_id)


def test_nothing_is_given_to_a_node_that_wants_nothing() -> None:
    assert filled(3).take("a", 0) == []


def test_the_image_that_kills_is_found_and_all_others_come_through() -> None:
    batches, done, deadly, deaths = filled(500), set[int](), list[Job](), 0
    while jobs := batches.take(f"life {deaths}", 500):
        assert batches.take(f"life {deaths}", 500) == []  # a suspect has its node to itself
        if 321 in numbers(jobs):
            deadly += batches.lose(f"life {deaths}")
            deaths += 1
            continue
        for each in jobs:
            assert batches.settle(f"life {deaths}", each.image_id)
        done |= set(numbers(jobs))
    assert numbers(deadly) == [321]
    assert done == set(range(500)) - {321}
    assert deaths == 11  # once, again, and nine halvings
    assert batches.is_empty


def test_two_deaths_at_random_condemn_nothing() -> None:
    rng = random.Random(3)
    for _ in range(50):
        batches, life = filled(200), 0
        while taken := batches.take(str(life), 50):
            if life < 2 and rng.random() < 0.5:
                assert batches.lose(str(life)) == []
                life += 1
                continue
            for each in taken:
                assert batches.settle(str(life), each.image_id)
        assert batches.is_empty


def test_one_image_that_was_alone_from_the_beginning_needs_six_deaths() -> None:
    batches = filled(1)
    lost = []
    for life in "abcdef":
        assert numbers(batches.take(life, 10)) == [0]
        lost.append(numbers(batches.lose(life)))
    assert lost == [[], [], [], [], [], [0]]


def test_a_node_that_was_excluded_says_nothing_against_its_images() -> None:
    batches = filled(1)
    for life in "abcdefgh":
        batches.take(life, 1)
        assert batches.lose(life, has_died=False) == []


def test_others_work_on_while_one_node_has_the_suspects() -> None:
    batches = filled(30)
    for life in "ab":
        batches.take(life, 10)
        batches.lose(life)
    assert len(batches.take("c", 5)) == 5  # the first half, alone
    assert len(batches.take("d", 5)) == 5
    assert batches.take("c", 5) == []
    assert numbers(batches.take("d", 50)) == list(range(15, 30))


def test_what_waits_can_be_dropped() -> None:
    batches = filled(30)
    batches.take("a", 10)
    batches.lose("a")
    batches.take("b", 10)
    assert len(batches.drop_waiting()) == 20
    assert batches.count("b") == 10
    assert not batches.waiting
