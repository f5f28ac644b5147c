"""Annotations that come with selected images: which kinds, for which images, and the files needed to export them."""

from pathlib import Path

import pytest

from oidl.demo.site import status_answer


@pytest.fixture
def fetched(annotated):
    """The names of the annotation files that were asked for, by kind."""

    def kinds() -> set[str]:
        names = {path.rpartition("/")[2] for path in annotated.site.requests}
        return {
            kind
            for kind, part in (
                ("boxes", "annotations-bbox"),
                ("labels", "human-imagelabels.csv"),
                ("points", "point-labels"),
                ("relationships", "-vrd"),
                ("segmentations", "object-segmentation"),
                ("masks", "masks-"),
            )
            if any(part in name for name in names)
        }

    return kinds


@pytest.fixture
def again(oidl, root):
    """`oidl COMMAND` on the root, which takes all else from its plan."""
    return lambda *command: oidl(*command, f"--root-dir={root}")


def _boxed(ask) -> set[str]:
    return {image_id for (image_id,) in ask("SELECT DISTINCT image_id FROM box")}


def _done(ask) -> set[str]:
    return {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}


def test_an_export_right_after_a_run_of_a_class_just_works(annotated, run, again, fetched, ask) -> None:
    assert run(annotated, "--classes=Cat").returncode == 0
    assert fetched() == {"boxes"}
    exported = again("export", "--format=coco")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert _done(ask) <= _boxed(ask)


def test_images_that_are_named_come_with_their_boxes(annotated, run, again, fetched, ask, oidl) -> None:
    selected = [listed.image for listed in annotated.images if listed.image.subset == "train"][:5]
    (oidl.cwd / "ids.txt").write_text("".join(f"{image.image_id}\n" for image in selected))
    assert run(annotated, "--subset=train", "--image-ids=ids.txt").returncode == 0
    assert fetched() == {"boxes"}
    assert _boxed(ask)
    assert _boxed(ask) <= {image.image_id for image in selected}
    assert again("export", "--format=coco").returncode == 0
    assert "rows of" not in again("run").stdout  # once


def test_so_do_those_that_a_limit_leaves_and_the_annotations_of_the_others_are_not_loaded(
    annotated, run, again, fetched, ask
) -> None:
    run(annotated, "--subset=train", "--limit=4")
    assert fetched() == {"boxes"}
    assert len(_done(ask)) == 4
    assert _boxed(ask)
    assert _boxed(ask) <= _done(ask)
    assert again("export", "--format=coco").returncode == 0


def test_another_kind_comes_only_when_it_is_named_and_is_loaded_too(annotated, run, fetched, ask) -> None:
    run(annotated, "--subset=train", "--limit=8", "--annotations=segmentations")
    assert fetched() == {"segmentations"}
    assert ask("SELECT count(*) > 0 FROM segmentation") == [(1,)]
    assert not _boxed(ask)
    run(annotated, "--subset=train", "--classes=Cat", "--annotations=labels")
    assert fetched() == {"segmentations", "boxes", "labels"}
    assert ask("SELECT count(*) > 0 FROM label") == [(1,)]


def test_all_images_of_a_subset_come_with_every_usual_kind_on_disk(annotated, run, fetched, ask) -> None:
    assert run(annotated, "--subset=validation").returncode == 0
    assert fetched() == {"boxes", "labels", "points", "relationships", "segmentations"}
    assert ask("SELECT (SELECT count(*) FROM box) + (SELECT count(*) FROM label)") == [(0,)]


def test_no_metadata_is_no_annotations(annotated, run, fetched) -> None:
    run(annotated, "--subset=validation", "--limit=2", "--no-download-metadata")
    assert fetched() == set()


def test_images_are_fetched_though_their_annotations_cannot_be(annotated, run, ask) -> None:
    for path in [path for path in annotated.site.answers if "annotations-bbox" in path]:
        annotated.site.answers[path] = status_answer(404)
    ended = run(annotated, "--subset=validation", "--where=original_size > 0")
    assert ended.returncode == 4
    assert len(_done(ask)) == len([each for each in annotated.images if each.image.subset == "validation"])


@pytest.mark.parametrize("is_planned", [True, False])
def test_annotations_are_loaded_for_the_subsets_of_the_root(is_planned, annotated, run, again, oidl, tell, ask) -> None:
    run(annotated, "--subset=validation", "--limit=2", "--no-download-metadata")
    place = ()
    if not is_planned:  # as an older version left it
        tell("DELETE FROM plan")
        place = (f"--catalogue={annotated.catalogue}",)
    ended = again("annotations", "load", "--annotations=boxes", *place)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask("SELECT DISTINCT subset FROM download") == [("validation",)]
    asked = [path for path in annotated.site.requests if "train" in Path(path).name]
    assert not asked
    assert _boxed(ask)


def test_annotations_load_is_about_what_the_root_is_for(annotated, run, again, fetched, ask) -> None:
    run(annotated, "--subset=train", "--limit=3", "--no-download-metadata")
    ended = again("annotations", "load")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert fetched() == {"boxes"}
    assert _boxed(ask) <= _done(ask)
    assert len(_done(ask)) == 3
